package dovecot

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Session is one connection of a logged-in user.
type Session struct {
	User    string
	Service string // "imap", "pop3", ...
	PID     int
	IP      string // of the client
	Host    string // host:port of the server that has it
}

// Who lists the connections of users whose name matches the mask (* and ?), at
// every host; "" means all. Names are compared without regard to case. A mask
// that is an address or a network ("10.1.0.0/16") lists the connections from
// there.
//
// It asks for single connections: the summary that Dovecot 2.3.19 writes
// otherwise is malformed when it has more than one user.
func (c *Client) Who(ctx context.Context, mask string) ([]Session, error) {
	p := Params{"separateConnections": true}
	if mask != "" {
		p["mask"] = []string{mask}
	}
	o := op{call: Call{"who", p}, subject: mask, again: true}
	var sessions []Session
	err := c.everywhere(ctx, o, func(h *host, a answer) error {
		for _, r := range a.rows {
			pid, err := strconv.Atoi(r["pid"])
			if err != nil {
				return fmt.Errorf("pid %q is not a number", r["pid"])
			}
			sessions = append(sessions, Session{User: r["username"], Service: r["service"], PID: pid, IP: r["ip"], Host: h.name})
		}
		return nil
	})
	slices.SortFunc(sessions, func(a, b Session) int {
		return cmp.Or(cmp.Compare(a.User, b.User), cmp.Compare(a.Host, b.Host), cmp.Compare(a.PID, b.PID))
	})
	return sessions, err
}

// Kick ends all connections of a user at every host and reports whether there
// were any; having none is no error. The client sees "* BYE Server shutting
// down" or the end of the connection. With "service imap { client_limit }"
// above 1 (the default is 1) it also ends other users' connections in the same
// process.
//
// A name that the server would read as an address or a network, such as
// "127.1", is refused: it would end everybody's connections from there.
//
// A user whose password still works comes back within seconds; lock the
// account in the directory and call [Client.FlushAuthCache] first.
func (c *Client) Kick(ctx context.Context, user string) (bool, error) {
	if err := checkUser(user); err != nil {
		return false, refuse("kick", user, "", "%w", err)
	}
	if isAddress(user) {
		return false, refuse("kick", user, "", "the name reads as a network address")
	}
	o := op{call: Call{"kick", Params{"mask": []string{user}}}, user: user, again: true}
	kicked := false
	o.not = ErrNotFound // 2.3: nobody to kick
	err := c.everywhere(ctx, o, func(_ *host, a answer) error {
		for _, r := range a.rows {
			// 2.3 names each user, 2.4 counts.
			if r["result"] != "" || r["count"] != "" && r["count"] != "0" {
				kicked = true
			}
		}
		return nil
	})
	return kicked, err
}

// isAddress reports whether who and kick take a mask for an address: IPv6, or
// what inet_aton reads, with a dot, and a number of bits behind either.
func isAddress(mask string) bool {
	addr, _, _ := strings.Cut(mask, "/")
	if _, err := netip.ParseAddr(addr); err == nil {
		return true
	}
	parts := strings.Split(addr, ".")
	for _, p := range parts {
		if _, err := strconv.ParseUint(p, 0, 32); err != nil {
			return false
		}
	}
	return len(parts) > 1 && len(parts) <= 4
}
