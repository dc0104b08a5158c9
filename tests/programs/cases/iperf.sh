# networks: host none
# A megabyte a hundred times over one connection, and back, and datagrams; figures are left out.
cd /tmp
serve() {
	iperf3 -s -1 -p 15201 -B 127.0.0.1 >/dev/null &
	until iperf3 -c 127.0.0.1 -p 15201 "$@" >client.out 2>&1; do sleep 0.1; done
	wait
	grep -c receiver client.out
}
serve -n $((100 / SCALE))M
serve -n $((100 / SCALE))M -R
serve -u -b 50M -n 5M
