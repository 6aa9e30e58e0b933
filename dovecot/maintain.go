package dovecot

import (
	"context"
	"strconv"
	"time"
)

// Index adds messages that are not indexed yet to the indexes of the mailboxes
// that match the mask (* and %). Mailboxes that do not exist are no error.
func (c *Client) Index(ctx context.Context, user, mask string) error {
	o := userOp("index", user, mask, nil).repeatable()
	info, err := c.Server(ctx)
	if err != nil {
		return err
	}
	// A string in 2.3, an array in 2.4.
	if info.Commands["index"]["mailboxMask"] == Array {
		o.call.Params["mailboxMask"] = []string{mask}
	} else {
		o.call.Params["mailboxMask"] = mask
	}
	return c.exec(ctx, o)
}

// ForceResync rebuilds the indexes of the mailboxes that match the mask from
// the files, after damage. Mailboxes that do not exist are no error.
func (c *Client) ForceResync(ctx context.Context, user, mask string) error {
	return c.exec(ctx, userOp("forceResync", user, mask, Params{"mailboxMask": mask}).repeatable())
}

// Reload makes every host read its configuration anew.
func (c *Client) Reload(ctx context.Context) error {
	o := op{call: Call{Command: "reload"}, again: true}
	return c.everywhere(ctx, o, func(*host, answer) error { return nil })
}

// LogError is one line that a server has logged as warning, error or worse.
type LogError struct {
	Host string
	// Time is as the server writes it, "Nov 23 14:29:26": local time without
	// a year or zone.
	Time   string
	Prefix string // "doveadm(127.0.0.1,12)"
	Type   string // "Error"
	Text   string
}

// LogErrors returns what the hosts have logged as errors since a moment; the
// zero time means all they remember, some thousand lines. The API itself never
// says why a command failed; this does. Texts name users.
func (c *Client) LogErrors(ctx context.Context, since time.Time) ([]LogError, error) {
	p := Params{}
	if !since.IsZero() {
		p["since"] = strconv.FormatInt(since.Unix(), 10)
	}
	o := op{call: Call{"logErrors", p}, again: true}
	var list []LogError
	err := c.everywhere(ctx, o, func(h *host, a answer) error {
		for _, r := range a.rows {
			list = append(list, LogError{h.name, r["timestamp"], r["prefix"], r["type"], r["text"]})
		}
		return nil
	})
	return list, err
}
