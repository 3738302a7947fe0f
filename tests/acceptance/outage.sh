# What an outage of the scanner's own does to a run: nothing, but that it takes longer. Sourced by run.
#
# Shorter deadlines than usual, so that an outage is noticed within seconds. Connecting not under a second: where the way back
# takes no time, an ICMP error that comes while connect() still runs is only noticed when the kernel sends its SYN again.

OUTAGE=20 # seconds
DISTURBED_JOBS=${DISTURBED_JOBS:-20} # few enough for a run that lasts longer than that

# disturbed NAME BREAK MEND: a scan of the whole list under NAME; when 30 % of it is stored, BREAK is called, and MEND so many
# seconds later: a run that notices waits, one that does not is over by then. Prints the exit code.
disturbed() {
    local name=$1 break=$2 mend=$3 pid
    (
        export V6READY_DEADLINES_CONNECT=1500ms V6READY_DEADLINES_CONNECT_RETRY=1500ms V6READY_ATTEMPTS_PER_ADDRESS=2
        export V6READY_ATTEMPTS_SPACING=100ms V6READY_DNS_TIMEOUT=1s
        export V6READY_GATE_CANARY_INTERVAL=3s V6READY_GATE_RECOVERY_INTERVAL=1s
        scan "$C" "$name" v6ready.toml "$WORLD/list" --jobs "$DISTURBED_JOBS" --second-round-after 1s >"$WORLD/$name.status"
    ) &
    pid=$!
    for _ in $(seq 1200); do
        [ $(($(rows "$name" | cut -d' ' -f2) * 10)) -ge $((TOTAL * 3)) ] && break
        sleep 0.1
    done
    "$break"
    sleep "$OUTAGE"
    "$mend"
    wait "$pid" || true
    cat "$WORLD/$name.status"
}

# told NAME TITLE LINE STATUS: what the run and its report say of it.
told() {
    if [ "$4" != 0 ]; then
        verdict "$2" 1 "exit code $4: $(tail -3 "$WORLD/$1/out")"
    else
        check "$2" python3 "$HERE/verify.py" outage "$WORLD/full" "$WORLD/$1" "$3"
    fi
}

# Beyond the scanner's own kernel, which would refuse to send (EPERM) where it drops itself.
cut_uplink() {
    ip netns exec "$S" nft add table ip6 uplink
    ip netns exec "$S" nft 'add chain ip6 uplink from { type filter hook prerouting priority -300; }'
    ip netns exec "$S" nft add rule ip6 uplink from ip6 saddr 2001:db8:0:1::1 counter drop
}
mend_uplink() {
    ip netns exec "$S" nft -j list table ip6 uplink | grep -oE '"packets": *[0-9]+' | grep -oE '[0-9]+$' >"$WORLD/dropped"
    ip netns exec "$S" nft delete table ip6 uplink
}
check_cut() {
    local status
    status=$(disturbed cut cut_uplink mend_uplink)
    told cut "IPv6 lost for $OUTAGE s in mid-run ($(cat "$WORLD/dropped") packets dropped)" ipv6 "$status"
}

# A resolver that is stopped is silent, as one whose machine died.
stop_resolvers() { kill -STOP "$UNBOUND_PID"; }
wake_resolvers() { kill -CONT "$UNBOUND_PID"; }
check_resolvers() {
    local status
    status=$(disturbed deaf stop_resolvers wake_resolvers)
    told deaf "resolvers silent for $OUTAGE s in mid-run" dns "$status"
}
