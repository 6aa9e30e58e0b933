package dovecot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// SieveScript is one of a user's Sieve scripts.
type SieveScript struct {
	Name   string
	Active bool // it filters the user's mail; one at most does
}

// SieveScripts lists a user's scripts, sorted by name. Without Pigeonhole the server
// does not know the command: [ErrUnsupported], as with the other calls about scripts.
//
// A script that is active as a plain file, which no ManageSieve server has made, is not
// listed. When another one is activated Pigeonhole keeps it as "dovecot.orig".
func (c *Client) SieveScripts(ctx context.Context, user string) ([]SieveScript, error) {
	rows, err := c.rows(ctx, userOp("sieveList", user, "", nil).repeatable())
	if err != nil {
		return nil, err
	}
	list := make([]SieveScript, len(rows))
	for i, r := range rows {
		list[i] = SieveScript{Name: r["script"], Active: r["active"] != ""}
	}
	slices.SortFunc(list, func(a, b SieveScript) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// SieveScript returns the text of a script; [ErrNotFound] if there is none of the name.
func (c *Client) SieveScript(ctx context.Context, user, name string) (string, error) {
	o := userOp("sieveGet", user, name, Params{"scriptname": name}).repeatable()
	if err := checkScript(name); err != nil {
		return "", o.refuse("%w", err)
	}
	rows, err := c.rows(ctx, o)
	if err != nil {
		return "", err
	}
	if len(rows) != 1 {
		return "", c.malformed(o, fmt.Errorf("%d scripts", len(rows)))
	}
	return rows[0]["sieve script"], nil
}

// PutSieve stores a script, in the place of one of the same name, and may make it the
// active one; a script that is active already stays it. One that does not compile is
// [ErrNotPossible], and nothing is stored; the reason is in the server's log.
func (c *Client) PutSieve(ctx context.Context, user, name, text string, activate bool) error {
	p := Params{"scriptname": name, "file": text}
	if activate {
		p["activate"] = true
	}
	return c.onScript(ctx, userOp("sievePut", user, name, p).repeatable())
}

// ActivateSieve makes a script the active one.
func (c *Client) ActivateSieve(ctx context.Context, user, name string) error {
	return c.onScript(ctx, userOp("sieveActivate", user, name, Params{"scriptname": name}).repeatable())
}

// DeactivateSieve leaves a user without an active script. None is success.
func (c *Client) DeactivateSieve(ctx context.Context, user string) error {
	return c.exec(ctx, userOp("sieveDeactivate", user, "", nil).repeatable())
}

// DeleteSieve removes a script, also the active one; [ErrNotFound] if there is none of the
// name.
func (c *Client) DeleteSieve(ctx context.Context, user, name string) error {
	return c.onScript(ctx, userOp("sieveDelete", user, name, Params{"scriptname": []string{name},
		"ignoreActive": true}).repeatable())
}

func (c *Client) onScript(ctx context.Context, o op) error {
	if err := checkScript(o.subject); err != nil {
		return o.refuse("%w", err)
	}
	return c.exec(ctx, o)
}

// checkScript refuses names that end the server's process instead of being answered.
func checkScript(name string) error {
	switch {
	case name == "":
		return errors.New("empty name of a script")
	case strings.ContainsAny(name, "/\u2028\u2029") || utf8.RuneCountInString(name) > 255:
		return errors.New("no name that a script can have")
	}
	return checkText(name)
}

// quoteSieve writes a text as a quoted string of Sieve (RFC 5228 section 2.4.2).
func quoteSieve(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
