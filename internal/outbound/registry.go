package outbound

import "net/netip"

var (
	globalUnicast = netip.MustParsePrefix("2000::/3")     // RFC 4291 §2.4: what IANA hands out for IPv6
	nat64         = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052 §2.1: the last 32 bits are an IPv4 address
)

// specialPurpose lists the blocks of the IANA special-purpose address registries (RFC 6890 and its successors) that are
// not globally reachable, and those which lead on to an address that this package cannot see (6to4, Teredo).
var specialPurpose = [...]netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),       // this network; 0.0.0.0 reaches the machine itself
	netip.MustParsePrefix("10.0.0.0/8"),      // private use
	netip.MustParsePrefix("100.64.0.0/10"),   // carrier-grade NAT
	netip.MustParsePrefix("127.0.0.0/8"),     // loopback
	netip.MustParsePrefix("169.254.0.0/16"),  // link local, metadata services of clouds
	netip.MustParsePrefix("172.16.0.0/12"),   // private use
	netip.MustParsePrefix("192.0.0.0/24"),    // IETF protocol assignments
	netip.MustParsePrefix("192.0.2.0/24"),    // documentation
	netip.MustParsePrefix("192.88.99.0/24"),  // 6to4 relays, deprecated
	netip.MustParsePrefix("192.168.0.0/16"),  // private use
	netip.MustParsePrefix("198.18.0.0/15"),   // benchmarks
	netip.MustParsePrefix("198.51.100.0/24"), // documentation
	netip.MustParsePrefix("203.0.113.0/24"),  // documentation
	netip.MustParsePrefix("224.0.0.0/4"),     // multicast
	netip.MustParsePrefix("240.0.0.0/4"),     // reserved, and the broadcast address
	netip.MustParsePrefix("2001::/23"),       // IETF protocol assignments, Teredo among them
	netip.MustParsePrefix("2001:db8::/32"),   // documentation
	netip.MustParsePrefix("2002::/16"),       // 6to4: carries an IPv4 address of any kind
	netip.MustParsePrefix("3fff::/20"),       // documentation
}
