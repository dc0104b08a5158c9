bash -c 'a=(1 2 3); echo ${a[@]} ${#a[@]}; diff <(seq 1 5) <(seq 1 5) && echo same; f() { local x=$1; echo $((x*2)); }; f 21; trap "echo bye" EXIT; (sleep 0.1; echo bg) & wait; echo {a..e}'
bash -c 'declare -A m; m[x]=1; m[y]=2; for k in "${!m[@]}"; do echo $k=${m[$k]}; done | sort; read -r a b <<<"hello world"; echo "$b $a"; mapfile -t l < <(seq 1 100); echo ${#l[@]} ${l[99]}'
bash -c 'coproc cat; echo through >&${COPROC[1]}; read -r x <&${COPROC[0]}; echo $x; kill $COPROC_PID; wait; echo done' 2>/dev/null
bash -c 'set -o pipefail; false | true; echo $? ${PIPESTATUS[@]}; true | false | true; echo "${PIPESTATUS[@]}"'
bash -c 'trap "echo int" INT; kill -INT $$; trap "echo chld" CHLD; /bin/true; sleep 0.1; trap - CHLD; trap "echo err" ERR; false; echo end'
bash -c 'exec {fd}>x; echo hi >&$fd; exec {fd}>&-; cat x; printf "%q\n" "a b"; printf -v v "%03d" 7; echo $v; [[ foobar =~ o+(b) ]] && echo ${BASH_REMATCH[1]}'
bash -c 'time sleep 0' 2>&1 | grep -c real
mkfifo silent; bash -c 'read -t 0.2 x <>silent; echo "timed out $(($? > 128))"'
(ulimit -c 0; bash -c '(kill -SEGV $BASHPID); echo $?; (kill -9 $BASHPID); echo $?' 2>/dev/null)
bash -c 'for ((i = 0; i < 200 / SCALE; i++)); do echo $(echo $i); done | tail -1'
bash -c 'x=0; while read -r n; do ((x+=n)); done < <(seq 1 $((5000 / SCALE))); echo $x'
bash -ic 'echo interactive; exit 4' 2>/dev/null; echo $?
