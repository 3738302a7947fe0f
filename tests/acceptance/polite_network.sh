# The network of the tests whose other side is polite_servers.py: sourced by `politeness` and `faults`, which set WORLD (folder),
# C and S (namespace names) and INTERVAL (milliseconds between two requests to a name). C is the scanner, S everything else.

network_up() {
    local x
    for x in "$C" "$S"; do
        ip netns add "$x"
        ip netns exec "$x" sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_ra=0 \
            net.ipv6.conf.default.accept_ra=0 net.core.somaxconn=4096
        ip -n "$x" link set lo up
    done
    ip link add up0 netns "$C" type veth peer name c0 netns "$S"
    ip -n "$C" addr add 198.18.0.1/30 dev up0
    ip -n "$C" addr add 2001:db8:0:1::1/64 dev up0 nodad
    ip -n "$S" addr add 198.18.0.2/30 dev c0
    ip -n "$S" addr add 2001:db8:0:1::2/64 dev c0 nodad
    ip -n "$C" link set up0 up
    ip -n "$S" link set c0 up
    ip -n "$C" route add 198.18.0.0/15 via 198.18.0.2
    ip -n "$C" -6 route add 2001:db8::/32 via 2001:db8:0:1::2
    # Every address of the world is the servers' own; that of the scanner is not.
    for x in 198.18.8.0/21 198.18.16.0/20 198.18.32.0/19 198.18.64.0/18 198.18.128.0/17 198.19.0.0/16; do
        ip -n "$S" route add local "$x" dev lo
    done
    for x in a1::/48 c0::/48 c1::/48 e1::/48 1000::/36 2000::/35 4000::/34 8000::/36; do
        ip -n "$S" -6 route add local "2001:db8:$x" dev lo
    done
}

configuration() {
    local i
    cat <<TOML
[dns]
resolvers = ["198.18.53.1", "198.18.53.2"]
timeout = "2s"
[attempts]
spacing = "300ms"
second_round_after = "3s"
[pace]
per_host_interval = "${INTERVAL}ms"
[lab]
public_prefixes = ["198.18.0.0/15", "2001:db8::/32"]
[gate]
dns64_names = ["ipv4only.arpa"]
nxdomain_suffixes = ["polite.test"]
canary_interval = "5s"
anchors = [
TOML
    for i in 0 1 2 3 4; do printf '    { host = "anchor%d.polite.test", network = "n%d" },\n' "$i" $((i % 3)); done
    echo "]"
}

# make_world: names, lists, certificate and configuration in WORLD, and the two namespaces.
make_world() {
    python3 "$HERE/polite_servers.py" world "$WORLD" >/dev/null
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj "/CN=polite.test" \
        -addext "subjectAltName=DNS:*.polite.test" -keyout "$WORLD/key.pem" -out "$WORLD/cert.pem" 2>"$WORLD/openssl.log"
    configuration >"$WORLD/v6ready.toml"
    network_up
}
