# The network of the acceptance test: sourced by `run`, which sets WORLD (folder), C, S and N (namespace names).
#
#   C  the scanner: 198.18.0.1/30, 2001:db8:0:1::1/64        N  a scanner whose network has no IPv6: 198.18.0.5/30
#   S  everything else: resolver, name servers, web servers; all addresses of the world are local there (AnyIP)
#
# Nothing leaves: no namespace has a default route (the scanner refuses laboratory prefixes where there is one), S forwards
# nothing and has no other interface. So that an attempt would be seen, the addresses that must never be dialled though
# they stand in the table, and some real ones, have a route in C and N (TRAPS); what takes it is counted and dropped.

TRAPS4=(10.0.0.0/8 100.64.0.0/10 169.254.0.0/16 172.16.0.0/12 192.0.2.0/24 192.88.99.0/24 192.168.0.0/16 203.0.113.0/24 224.0.0.0/4
    1.0.0.0/8 8.0.0.0/8 101.0.0.0/8 114.0.0.0/8 119.0.0.0/8 180.0.0.0/8 202.0.0.0/8 223.0.0.0/8)
TRAPS6=(64:ff9b::/96 64:ff9b:1::/48 100::/64 2001::/32 2002::/16 3fff::/20 fc00::/7 fec0::/10 240e::/16 2400::/12 2606::/16 2a00::/12)

PIDS=()

# launch NAME COMMAND...: a server in S, its process id remembered for the end.
launch() {
    local name=$1
    shift
    ip netns exec "$S" "$@" >"$WORLD/$name.out" 2>&1 &
    PIDS+=($!)
}

openssl_quiet() { openssl "$@" 2>>"$WORLD/openssl.log"; }

# certificate NAME CN ISSUER START END [SAN]: key and certificate; without SAN it is an authority's.
certificate() {
    local name=$1 cn=$2 issuer=$3 start=$4 end=$5 san=${6-} extensions
    if [ -n "$san" ]; then
        extensions="basicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\nkeyUsage=critical,digitalSignature\nsubjectAltName=$san"
    else
        extensions="basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign"
    fi
    openssl_quiet req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$name.key" -out "$name.csr" -subj "/CN=$cn"
    printf '[ca]\ndefault_ca=d\n[d]\ndatabase=%s\nrand_serial=yes\nnew_certs_dir=.\ndefault_md=sha256\npolicy=p\nx509_extensions=e\nunique_subject=no\n[p]\ncommonName=supplied\n[e]\n%b\n' \
        "$name.index" "$extensions" >"$name.cnf"
    : >"$name.index"
    local sign=(-cert "$issuer.crt" -keyfile "$issuer.key")
    [ "$issuer" = self ] && sign=(-selfsign -keyfile "$name.key")
    openssl_quiet ca -batch -notext -config "$name.cnf" "${sign[@]}" -startdate "$start" -enddate "$end" -in "$name.csr" -out "$name.crt"
}

certificates() {
    mkdir "$WORLD/ca"
    cd "$WORLD/ca"
    local past now later san
    past=20230101000000Z
    now=$(date -u -d '-2 days' +%Y%m%d%H%M%SZ)
    later=$(date -u -d '+300 days' +%Y%m%d%H%M%SZ)
    san=DNS:*.lanxi.test,DNS:*.yunqi.test,DNS:*.beiling.test,DNS:*.shiqiao.test$(sed 's/^/,DNS:/' ../names.txt | tr -d '\n')
    certificate root "Acceptance Root" self "$now" "$later"
    certificate stranger "Unknown Root" self "$now" "$later"
    certificate between "Acceptance Intermediate" root "$now" "$later"
    certificate good school.test between "$now" "$later" "$san"
    certificate expired school.test between "$past" 20240101000000Z "$san"
    certificate unknown school.test stranger "$now" "$later" "$san"
    certificate wrong hoster.test between "$now" "$later" DNS:hoster.test,DNS:*.hoster.test
    local leaf
    for leaf in good expired wrong; do cat "$leaf.crt" between.crt >"$leaf.pem"; done
    cat unknown.crt stranger.crt >unknown.pem
    cd - >/dev/null
}

# guard NAMESPACE: counts, and drops, what is sent to an address outside the world.
guard() {
    ip netns exec "$1" nft -f - <<'NFT'
table inet guard {
    counter outside { }
    counter world4 { }
    counter world6 { }
    counter web6 { }
    set outside4 { type ipv4_addr; size 64; flags dynamic; }
    set outside6 { type ipv6_addr; size 64; flags dynamic; }
    chain out {
        type filter hook output priority 0;
        oifname "lo" accept
        # The kernel's own talk with its neighbour on the link.
        ip6 daddr { fe80::/10, ff02::/16 } meta l4proto ipv6-icmp accept
        ip daddr 198.18.0.0/15 counter name world4 accept
        ip6 daddr != { 2001:db8:dead::1, 2001:db8:dead::2 } tcp dport != 53 counter name web6
        ip6 daddr 2001:db8::/32 counter name world6 accept
        add @outside4 { ip daddr }
        add @outside6 { ip6 daddr }
        counter name outside drop
    }
}
NFT
}

# counted NAMESPACE NAME: packets of one of the guard's counters.
counted() { ip netns exec "$1" nft -j list counter inet guard "$2" | python3 -c 'import json,sys; print(next(x["counter"]["packets"] for x in json.load(sys.stdin)["nftables"] if "counter" in x))'; }

network_up() {
    local x
    for x in "$C" "$S" "$N"; do
        ip netns add "$x"
        ip netns exec "$x" sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 \
            net.ipv6.conf.all.accept_ra=0 net.ipv6.conf.default.accept_ra=0 net.ipv6.conf.default.router_solicitations=0
        ip -n "$x" link set lo up
    done
    ip netns exec "$S" sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0 net.ipv6.icmp.ratelimit=0 net.ipv4.icmp_ratelimit=0
    ip link add up0 netns "$C" type veth peer name c0 netns "$S"
    ip link add up0 netns "$N" type veth peer name n0 netns "$S"
    ip -n "$C" addr add 198.18.0.1/30 dev up0
    ip -n "$C" addr add 2001:db8:0:1::1/64 dev up0 nodad
    ip -n "$S" addr add 198.18.0.2/30 dev c0
    ip -n "$S" addr add 2001:db8:0:1::2/64 dev c0 nodad
    ip -n "$S" addr add 198.18.0.6/30 dev n0
    ip -n "$N" addr add 198.18.0.5/30 dev up0
    ip netns exec "$N" sysctl -qw net.ipv6.conf.up0.disable_ipv6=1
    for x in "$C up0" "$N up0" "$S c0" "$S n0"; do ip -n "${x% *}" link set "${x#* }" up; done
    for x in 198.18.0.0/15 "${TRAPS4[@]}"; do
        ip -n "$C" route add "$x" via 198.18.0.2
        ip -n "$N" route add "$x" via 198.18.0.6
    done
    for x in 2001:db8::/32 "${TRAPS6[@]}"; do ip -n "$C" -6 route add "$x" via 2001:db8:0:1::2; done
    for x in 198.18.53.1 198.18.53.2 198.18.54.1 198.18.54.11 198.18.54.12; do ip -n "$S" addr add "$x/32" dev lo; done
    for x in 53::1 54::1 54::11 54::12; do ip -n "$S" addr add "2001:db8:$x/128" dev lo nodad; done
    for x in 198.19.0.0/16 198.18.64.0/21; do ip -n "$S" route add local "$x" dev lo; done
    for x in a b c d f e1 e2 e3 d4; do ip -n "$S" -6 route add local "2001:db8:$x::/48" dev lo; done
    ip -n "$S" -6 route add blackhole 2001:db8:dead::/48
    # What a firewall in front of the school does. The networks are those of NET4 and NET6 in make_world.py.
    ip netns exec "$S" nft -f - <<'NFT'
table inet firewalls {
    chain in {
        type filter hook input priority 0;
        ip daddr 198.18.64.0/24 tcp dport 443 reject with tcp reset
        ip daddr 198.18.65.0/24 tcp dport 80 reject with tcp reset
        ip daddr 198.18.66.0/24 meta l4proto tcp reject with tcp reset
        ip daddr 198.18.67.0/24 drop
        ip6 daddr 2001:db8:b::/48 meta l4proto tcp reject with tcp reset
        ip6 daddr 2001:db8:c::/48 tcp dport 443 reject with tcp reset
        ip6 daddr 2001:db8:f::/48 tcp dport 80 reject with tcp reset
        ip6 daddr 2001:db8:d::/48 drop
        ip6 daddr 2001:db8:d4::/48 tcp dport 443 drop
        ip6 daddr 2001:db8:e1::/48 reject with icmpv6 admin-prohibited
        ip6 daddr 2001:db8:e2::/48 reject with icmpv6 addr-unreachable
        ip6 daddr 2001:db8:e3::/48 reject with icmpv6 no-route
    }
}
NFT
    guard "$C"
    guard "$N"
}

servers_up() {
    launch nsd-root nsd -d -c "$WORLD/nsd-root.conf"
    launch nsd-hosting nsd -d -c "$WORLD/nsd-hosting.conf"
    launch unbound unbound -d -c "$WORLD/unbound.conf"
    UNBOUND_PID=$!
    launch nginx nginx -c "$WORLD/nginx.conf"
}

# Everything that this run started or made, and nothing else.
network_down() {
    local pid x i
    for pid in ${PIDS[@]+"${PIDS[@]}"}; do kill "$pid" 2>/dev/null || true; done
    for i in $(seq 30); do
        x=
        for pid in ${PIDS[@]+"${PIDS[@]}"}; do if kill -0 "$pid" 2>/dev/null; then x=left; fi; done
        [ -z "$x" ] && break
        sleep 0.1
    done
    for x in "$C" "$S" "$N"; do
        # Whatever is left in the namespaces that we made is ours.
        for pid in $(ip netns pids "$x" 2>/dev/null); do kill -9 "$pid" 2>/dev/null || true; done
        ip netns del "$x" 2>/dev/null || true
    done
}
