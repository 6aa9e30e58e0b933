package imapwire

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
)

func (c *Client) startTLS(ctx context.Context, cfg *tls.Config) error {
	if err := c.simple(ctx, "STARTTLS"); err != nil {
		return err
	}
	if c.r.br.Buffered() > 0 { // what came before the handshake was not the server
		return c.fatal("STARTTLS", errors.New("data after the answer to STARTTLS"))
	}
	tc := c.conn.(*timedConn)
	c.attach(&timedConn{Conn: tls.Client(tc.Conn, cfg), quickAck: tc.quickAck, timeout: tc.timeout, read: tc.read, written: tc.written})
	c.caps = nil
	return c.Capability(ctx)
}

// Capability asks for the capabilities and remembers them.
func (c *Client) Capability(ctx context.Context) error { return c.simple(ctx, "CAPABILITY") }

// Login authenticates with LOGIN.
func (c *Client) Login(ctx context.Context, user string, password string) error {
	return c.loggedIn(ctx, func() error {
		return c.simple(ctx, "LOGIN", str(user), str(password))
	})
}

// AuthPlain authenticates with SASL PLAIN (RFC 4616). authzid is the user to
// act for, authcid and password those of the one who authenticates; an empty
// authzid means authcid itself.
func (c *Client) AuthPlain(ctx context.Context, authzid, authcid string, password string) error {
	raw := authzid + "\x00" + authcid + "\x00" + password
	return c.authenticate(ctx, "PLAIN", []byte(raw))
}

// AuthBearer authenticates with an OAuth token by OAUTHBEARER (RFC 7628).
func (c *Client) AuthBearer(ctx context.Context, user string, token string) error {
	raw := "n,a=" + user + ",\x01auth=Bearer " + token + "\x01\x01"
	return c.authenticate(ctx, "OAUTHBEARER", []byte(raw))
}

func (c *Client) authenticate(ctx context.Context, mech string, raw []byte) error {
	initial := base64.StdEncoding.EncodeToString(raw)
	return c.loggedIn(ctx, func() error {
		if c.Has("SASL-IR") {
			return c.simple(ctx, "AUTHENTICATE", mech, initial)
		}
		return c.authenticateSlow(ctx, mech, initial)
	})
}

// authenticateSlow waits for the server's "+" before the credentials.
func (c *Client) authenticateSlow(ctx context.Context, mech, initial string) error {
	const op = "AUTHENTICATE"
	if c.err != nil {
		return c.err
	}
	defer c.watch(ctx)()
	tag, err := c.send(op, mech)
	if err == nil {
		err = c.bw.Flush()
	}
	for err == nil {
		var line []byte
		if line, err = c.r.line(); err != nil {
			break
		}
		if len(line) > 0 && line[0] == '+' {
			c.bw.WriteString(initial + "\r\n")
			if err = c.bw.Flush(); err == nil {
				_, err := c.finish(ctx, op, tag, nil)
				return err
			}
			break
		}
		var s status
		var done bool
		if s, done, err = c.response(tag, line, nil); done && err == nil {
			return c.refused(op, s)
		}
	}
	return c.fatal(op, c.cause(ctx, err))
}

// loggedIn runs a login and makes sure that the capabilities are those after it.
func (c *Client) loggedIn(ctx context.Context, login func() error) error {
	before := c.capsRead
	if err := login(); err != nil {
		return err
	}
	if c.capsRead == before {
		return c.Capability(ctx)
	}
	return nil
}
