package outbound

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// ErrForbidden is the error of a request to an address that is not public and not allow-listed.
var ErrForbidden = errors.New("outbound: address is not allowed")

// Loopback returns the prefixes of the machine itself, for purposes that are configured to stay on it.
func Loopback() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
}

// judge decides about one resolved address ("ip:port") just before it is dialed.
func judge(network, address string, allowed []netip.Prefix) error {
	if network != "tcp4" && network != "tcp6" {
		return fmt.Errorf("%w: network %s", ErrForbidden, network)
	}
	target, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: unreadable address", ErrForbidden)
	}
	addr := target.Addr().Unmap().WithZone("")
	for _, prefix := range allowed {
		if prefix.Contains(addr) {
			return nil
		}
	}
	if !Public(addr) {
		return fmt.Errorf("%w: %s", ErrForbidden, addr)
	}
	return nil
}

// judgeHost refuses hosts that some resolvers read as a number and others as a name ("2130706433", "0x7f.1",
// "127.1"). Browsers and libc see an IPv4 address there, netip does not, and such a difference only serves an attacker.
func judgeHost(host string) error {
	if _, err := netip.ParseAddr(host); err == nil {
		return nil
	}
	host = strings.TrimSuffix(host, ".")
	last := host[strings.LastIndexByte(host, '.')+1:]
	if last == "" {
		return fmt.Errorf("%w: empty host label", ErrForbidden)
	}
	if digits(last) {
		return fmt.Errorf("%w: number in place of a name", ErrForbidden)
	}
	if hex, ok := strings.CutPrefix(strings.ToLower(last), "0x"); ok {
		if _, err := strconv.ParseUint(hex, 16, 64); err == nil || hex == "" {
			return fmt.Errorf("%w: number in place of a name", ErrForbidden)
		}
	}
	return nil
}

func digits(s string) bool {
	return strings.Trim(s, "0123456789") == ""
}

// Public reports whether addr is a unicast address of the open Internet. IPv4 addresses inside IPv6 (mapped, or behind
// the well-known NAT64 prefix of RFC 6052 §2.1) are judged as the IPv4 address that a packet would reach in the end.
func Public(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	if !addr.IsValid() {
		return false
	}
	if addr.Is6() && nat64.Contains(addr) {
		b := addr.As16()
		addr = netip.AddrFrom4([4]byte(b[12:]))
	}
	if addr.Is6() && !globalUnicast.Contains(addr) {
		return false // all that is not yet global unicast: loopback, ULA, link-local, multicast, IPv4-compatible, …
	}
	for _, prefix := range specialPurpose {
		if prefix.Contains(addr) {
			return false
		}
	}
	return true
}
