package dovecot

import (
	"context"
	"fmt"
)

// Backend is a mail server as a director knows it.
type Backend struct {
	Host  string // IP address
	Up    bool
	Users int // that are assigned to it now
}

// Backends lists the mail servers of a director (Dovecot 2.3 only; 2.4 has no
// directors: [ErrUnsupported]). On a host that is no director the server ends
// without an answer: [ErrUnknownOutcome].
func (c *Client) Backends(ctx context.Context) ([]Backend, error) {
	o := op{call: Call{Command: "directorStatus"}, again: true}
	rows, err := c.rows(ctx, o)
	if err != nil {
		return nil, err
	}
	list := make([]Backend, len(rows))
	for i, r := range rows {
		list[i] = Backend{Host: r["mail server ip"], Up: r["state"] == "up"}
		if list[i].Users, err = number[int](r, "users"); err != nil {
			return nil, c.malformed(o, err)
		}
	}
	return list, nil
}

// BackendOf returns the mail server on which a director places the user at the
// moment, "" for the one it would choose when there is no assignment yet, and
// the one that the user's hash gives.
func (c *Client) BackendOf(ctx context.Context, user string) (current, hashed string, err error) {
	if err := checkUser(user); err != nil {
		return "", "", refuse("directorStatus", user, "", "%w", err)
	}
	o := op{call: Call{"directorStatus", Params{"user": user}}, user: user, again: true}
	rows, err := c.rows(ctx, o)
	if err != nil {
		return "", "", err
	}
	if len(rows) != 1 {
		return "", "", c.malformed(o, fmt.Errorf("%d rows", len(rows)))
	}
	if current = rows[0]["status"]; current == "n/a" {
		current = ""
	}
	return current, rows[0]["hashed"], nil
}

// MoveBackend assigns a user to another mail server of the director until the
// assignment expires (director_user_expire), ending the user's sessions. An
// unknown server is [ErrNotFound]. While an earlier move of the user is under
// way, some seconds, it is [ErrTemporary]. Mail does not move along: backends
// are meant to share their storage.
func (c *Client) MoveBackend(ctx context.Context, user, backend string) error {
	o := op{call: Call{"directorMove", Params{"user": user, "host": backend}}, user: user, subject: backend, again: true}
	if err := checkUser(user); err != nil {
		return o.refuse("%w", err)
	}
	return c.exec(ctx, o)
}
