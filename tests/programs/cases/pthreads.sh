# root: host
# build: gcc -O2 -pthread "$SRC/threads.c" -o "$OUT/threads"
# build: gcc -O2 -pthread -static "$SRC/threads.c" -o "$OUT/threads-static"
"$OUT/threads"
"$OUT/threads-static"
