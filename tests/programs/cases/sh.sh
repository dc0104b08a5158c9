echo hello
for i in 1 2 3; do echo $i; done | sort -r
(exit 3); echo $?
cat <<END
here $((1 + 2)) $(echo sub)
END
x=$(printf 'a\nb\n' | while read -r l; do printf '%s.' "$l"; done); echo "$x"
trap 'echo got usr1' USR1
kill -USR1 $$
trap 'echo bye' EXIT
(trap - EXIT; kill -TERM "$(sh -c 'echo $PPID')"; sleep 5); echo "subshell $?"
case abc in a*) echo matches ;; esac
set -- one 'two three'; for a in "$@"; do echo "<$a>"; done
echo out >f; echo more >>f; cat <f; cat f 2>&1 >/dev/null | wc -c
exec 3>g; echo to three >&3; exec 3>&-; cat g
sleep 0.1 & wait $!; echo "waited $?"
sh -c 'exit 42'; echo $?
nosuchcommand 2>/dev/null; echo $?
: | { read -r x; echo "eof $?"; }
umask 027; touch h; stat -c %a h
cd /; pwd
