usr=/usr share=/usr/share; [ "$SCALE" = 1 ] || usr=/usr/share share=/usr/share/perl
seq 1 5000 >n; grep -c 7 n; sed -n '/^5..$/p' n | wc -l; gawk '{s+=$1} END {print s}' n; find /usr/share/perl/5* -name '*.pm' | wc -l; find /etc -name passwd | sort | xargs wc -l
diff n n && echo equal; seq 1 10 | xargs -n3 echo; seq 1 100 | xargs -P4 -n10 sh -c 'echo $#' | sort | uniq -c
sed -i 's/1/one/g' n; md5sum n; sed -i.bak '2d' n; wc -l n n.bak; diff -u n n.bak | tail -n +3; diff -y /etc/passwd /etc/passwd | wc -l; cmp n n.bak | head -1
grep -r root /etc/passwd /etc/group; grep -rl root /etc 2>/dev/null | sort | head -5; grep -E -o 'o+' /etc/passwd | sort | uniq -c | sort -k2; grep -q nosuch n; echo $?
gawk 'BEGIN { "echo cmd" | getline x; print x; print "sorted" | "sort"; close("sort"); fflush(); system("echo sys"); printf "%d %s %.3f\n", 42, "s", 3.14159 }'
gawk 'BEGIN { while ((getline line < "/etc/debian_version") > 0) print line; cmd = "cat"; print "co" |& cmd; close(cmd, "to"); cmd |& getline y; print y }'
find $usr -xdev -type d | sort | md5sum; find /usr/bin -type l | sort | md5sum; find $usr -newer /etc/debian_version -type d | wc -l; find . -name 'n*' -exec echo {} + | tr ' ' '\n' | sort; find /usr/lib -size +1M -type f | wc -l; find . -name n.bak -delete; ls
find $share -type f -print0 | sort -z | xargs -0 cat | md5sum
printf 'b\na\n' | sort -o s; cat s; diff3 s s s; sdiff s s; zcat /usr/share/doc/bash/*.gz 2>/dev/null | wc -l
