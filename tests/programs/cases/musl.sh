# root: host
# needs: musl-gcc
# build: musl-gcc -O2 "$SRC/musl.c" -o "$OUT/musl-dynamic"
# build: musl-gcc -O2 -static "$SRC/musl.c" -o "$OUT/musl-static"
"$OUT/musl-dynamic" && rm -r d
"$OUT/musl-static"
