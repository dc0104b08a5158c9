# root: host
# needs: bwrap
# unprivileged sandboxes inside
bwrap --ro-bind / / --dev /dev --proc /proc --unshare-all --die-with-parent sh -c 'id -u; ls -d /proc/[0-9]*; ls /dev | tr "\n" " "; touch /x 2>/dev/null || echo read-only'; echo
bwrap --unshare-user --uid 1000 --gid 1000 --ro-bind /usr /usr --symlink usr/lib /lib --symlink usr/lib64 /lib64 --symlink usr/bin /bin --tmpfs /tmp --dir /run --proc /proc --dev /dev --chdir /tmp --unshare-pid --unshare-uts --hostname boxed --new-session sh -c 'id -u; touch a; stat -c "%u %g" a; hostname; ls /; readlink /proc/self/cwd; cat /proc/self/uid_map'
bwrap --bind / / --dev /dev --unshare-pid --proc /proc --cap-drop ALL sh -c 'grep CapEff /proc/self/status; exit 7'; echo $?
bwrap --ro-bind / / --tmpfs /home --file 9 /home/f --unshare-user --disable-userns sh -c 'cat /home/f; unshare -U true 2>&1 || echo no more' 9</dev/null
# Where the outer one mounts a proc, bwrap covers some of it, if that is there; then Linux refuses the inner one its own.
bwrap --bind / / --unshare-user --unshare-net --unshare-ipc --uid 5 bwrap --ro-bind / / --proc /proc --unshare-all --uid 6 sh -c 'id -u; ls -d /proc/[0-9]*'
