# root: host
# needs: rustc
# build: rustc -O --edition 2021 "$SRC/threaded.rs" -o "$OUT/threaded"
"$OUT/threaded"
