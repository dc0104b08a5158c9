# root: host
# needs: clang
# build: for s in address undefined thread memory; do clang -g -O1 -fsanitize=$s -pthread "$SRC/faulty.c" -o "$OUT/$s" || exit 1; done
# The report's lines that do not depend on addresses and process ids.
report() { "$@" >log 2>&1; echo "$* status $?" | sed 's/.*programs.//'; sed -n 's/.*ERROR: \([A-Za-z]*Sanitizer\): \([a-z-]*\).*/\1 \2/p; s/.*\(WARNING: ThreadSanitizer: data race\|WARNING: MemorySanitizer: [a-z-]*\).*/\1/p; s/.*\(runtime error.*\)/\1/p; s/^\(right.*\)/\1/p; s/^SUMMARY: \([A-Za-z]*\): .* in \([a-z]*\)$/\1 in \2/p' log; }
for f in none heap free stack leak null; do report "$OUT/address" $f; done
for f in none overflow shift null; do report "$OUT/undefined" $f; done
for f in none race; do report "$OUT/thread" $f; done
for f in none uninit; do report "$OUT/memory" $f; done
