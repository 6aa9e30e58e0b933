package dovecot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
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
// every host; "" means all. Names are compared without regard to case.
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
// A user whose password still works comes back within seconds; lock the
// account in the directory and call [Client.FlushAuthCache] first.
func (c *Client) Kick(ctx context.Context, user string) (bool, error) {
	if err := checkUser(user); err != nil {
		return false, refuse("kick", user, "", "%w", err)
	}
	o := op{call: Call{"kick", Params{"mask": []string{user}}}, user: user, again: true}
	errs := make([]error, len(c.hosts))
	kicked := false
	for i, h := range c.hosts {
		a, err := c.run(ctx, h, o)
		switch {
		case errors.Is(err, ErrNotFound): // 2.3: nobody to kick
		case err != nil:
			errs[i] = err
		default:
			for _, r := range a.rows {
				// 2.3 names each user, 2.4 counts.
				if r["result"] != "" || r["count"] != "" && r["count"] != "0" {
					kicked = true
				}
			}
		}
	}
	return kicked, join(errs)
}
