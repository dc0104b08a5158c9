# root: host
# needs: unshare nsenter lsns findmnt ip
# util-linux in namespaces: what it shows must not depend on the outside
cd /tmp && mkdir -p n && mount -t tmpfs n n && cd n && mount --make-private .
unshare -Urm sh -c 'id -u; id -g; cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups; mkdir m; mount -t tmpfs inner m && touch m/f && ls m; umount m; mount -o remount,rw,bind . 2>/dev/null && echo changed'
unshare -Urpfm --mount-proc sh -c 'echo $$; ls -d /proc/[0-9]*; readlink /proc/self; grep -E "^(Pid|PPid|NSpid)" /proc/self/status; sleep 100 & kill -9 $$; echo still here; kill %1'
unshare -u sh -c 'hostname inner; hostname; unshare -u sh -c "hostname deeper; hostname"; hostname'
unshare -i sh -c 'ipcmk -M 100; ipcmk -Q; ipcs -m | grep -c 0x; ls /proc/sysvipc'
unshare -n sh -c 'ip -o link | grep -c .; ip -o link | sed "s/ *:.*//;s/<.*//" | cut -c1-6; wc -l < /proc/net/unix'
touch keep && unshare --uts=keep hostname kept && nsenter --uts=keep hostname; umount keep
touch keepnet && unshare --net=keepnet true && nsenter --net=keepnet ip -o link | grep -c LOOPBACK; umount keepnet
sh -c 'unshare -pf --kill-child sleep 50 & p=$!; while ! c=$(cat /proc/$p/task/$p/children) || [ -z "$c" ] || [ "$(cat /proc/${c% }/comm)" != sleep ]; do sleep 0.05; done; nsenter -t ${c% } -p sh -c "echo joined; kill -0 1 && echo sees init"; kill -9 $p; wait $p 2>/dev/null; echo ended'
mkdir a b a.s && mount -t tmpfs a a && mount --make-shared a && mount --bind a b && mkdir a/s && mount -t tmpfs s a/s
findmnt -rno TARGET,PROPAGATION | grep "/n/" | sed 's,.*/n/,,' | sort
unshare -m --propagation slave sh -c 'mount -t tmpfs x a/s; findmnt -rno TARGET,PROPAGATION | grep -c "/n/a/s"'; findmnt -rno TARGET | grep -c "/n/a/s"
umount b/s; findmnt -rno TARGET | grep -c "/n/[ab]/s"; umount b; umount a
unshare -m sh -c 'mkdir new && mount -t tmpfs new new && mkdir new/old new/bin; cd new && pivot_root . old && echo /*'
unshare -Ur --map-auto true 2>/dev/null; unshare -U id -u; unshare -Ur unshare -Ur unshare -Ur id -u
lsns -rno TYPE -p self | sort | tr '\n' ' '; unshare -Urimnpfu --mount-proc lsns -rno TYPE,PID | awk '$2 == 1 { print $1 }' | sort | tr '\n' ' '; echo
cd /tmp && umount n
