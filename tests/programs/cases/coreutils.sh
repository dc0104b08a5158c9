mkdir d; cd d; seq 1 1000 >n; wc n; sort -R n | sort -n | cmp - n; head -c 100000 /dev/zero | md5sum; cp n m; ln n l; ln -s n s
stat -c '%h %s %F %a %U' n s; ls | cat; tac n | tail -2; cut -c1 n | sort | uniq -c; du --apparent-size -b n
split -l 300 n x; cat x?? | cmp - n; touch -d 2001-01-01 t; date -u -r t; shuf -i 1-9 | wc -l; truncate -s 1M big; stat -c '%s %b' big
rm -r ../d; cd ..; mkdir e; cd e
factor 1234567890; printf '%05d\n' 42; od -c /etc/debian_version; expr 6 \* 7; basename /a/b; dirname /a/b; env -i A=1 env
dd if=/dev/zero of=z bs=4k count=100 2>&1 | head -2; dd if=z of=y bs=1000 skip=3 count=5 seek=7 conv=notrunc 2>/dev/null; stat -c %s y
dd if=/dev/urandom of=r bs=1M count=3 iflag=fullblock status=none; cp --sparse=always r r2; cmp r r2; cp -a r r3; cmp r r3; cp --reflink=auto r r4; cmp r r4
fallocate -l 100k fa; stat -c %s fa; echo teed | tee a b; cat a b
mktemp -p . tmp.XXXX | sed 's/tmp\..*/tmp/'; mktemp -d -p . dir.XXXX | sed 's/dir\..*/dir/'; rm -rf tmp.* dir.*; realpath a/../b a; readlink -f a; ln -s nowhere dangling; readlink dangling; cat dangling; echo $?
chmod 640 a; stat -c %a a; chmod u+s,g+w a; stat -c %a a; chown 12:34 a; stat -c '%u:%g %a' a; chgrp 56 a; stat -c '%u:%g' a
install -m 711 -o 1 -g 2 b inst; stat -c '%a %u %g' inst; install -d -m 700 p/q/r; stat -c %a p/q/r; shred -u b; ls b 2>&1; truncate -s -10 r; stat -c %s r; truncate -r a r; stat -c %s r
mv a moved; mv -n moved inst; ls; mkdir -p x/y/z; touch x/y/z/f; cp -r x x2; find x2 | sort; mv x2 x/y; ls -R x; rm -rf x; rmdir p/q/r p/q p; rmdir . 2>&1
mkfifo ff; (echo via fifo >ff &); cat ff; mknod nn p; stat -c %F nn; mknod cc c 1 3 && stat -c '%F %t %T' cc
yes | head -$((100000 / SCALE)) | wc -l; seq 1 3 | paste -sd,; echo 'b a' | tr 'a-b' 'x-y'; printf 'a\tb\n' | expand; echo "x y z" | fold -w2; seq 10 | pr -t -3; nl -ba /etc/debian_version; printf '1\n2\n' >c1; printf '2\n3\n' >c2; comm c1 c2; join c1 c2
sha256sum /etc/debian_version; b2sum /etc/debian_version; cksum </dev/null; sum </dev/null; base64 /etc/debian_version; echo aGk= | base64 -d; numfmt --to=iec 123456789; test -w / -a -d /tmp && echo ok; id; groups; whoami; tty; uname -s -m; arch; sync; sleep 0.01; false; echo $?
seq $((100000 / SCALE)) | sort -n -r | head -1; seq $((200000 / SCALE)) | sort -R --parallel=4 | sort -n --parallel=4 -S 1M | md5sum; seq 100 | csplit -s - 50 && wc -l xx00 xx01; seq 10 | tail -n +8; seq $((1000000 / SCALE)) | tail -c 20; touch tf; (sleep 0.5; echo late >>tf; sleep 0.5) & tail -s 0.1 -f -n 1 --pid=$! tf
tsort <<END
a b
b c
END
df / | tail -n 1 | awk '{ print NF }'; df -i . | wc -l; stat -f -c %l /tmp; du -s . | awk '{ print $1 > 1000 }'; stdbuf -oL echo x; chroot / /bin/echo chrooted; unlink cc; link c1 c3; stat -c %h c3; pathchk ok; date -u -d @0; touch -a -t 200001010000 c1; stat -c %X c1; ls -l --time-style=+%s c1 | awk '{ print $1, $2, $3, $5 }'; ls -la . | wc -l; dir | wc -l; vdir c1 | wc -l; ls --color=always -d /tmp | od -c | head -1; users; who; timeout 100 true; echo $?; nice true; nohup true 2>&1; stty </dev/null 2>&1; seq 5 | xargs
touch -d '1970-01-01 00:00:00.123456789 UTC' ns; stat -c %y ns; touch -h -d @7 dangling; stat -c %Y dangling; cp -p ns ns2; stat -c %y ns2; chmod 000 ns2; cat ns2 | wc -c; chmod 755 . ; setpriv --reuid=65534 --clear-groups --regid=65534 cat ns2 2>&1; setpriv --reuid=65534 --regid=65534 --clear-groups id
