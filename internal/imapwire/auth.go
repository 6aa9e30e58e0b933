package imapwire

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"strings"
)

func (c *Client) startTLS(ctx context.Context, cfg *tls.Config) error {
	if err := c.simple(ctx, "STARTTLS"); err != nil {
		return err
	}
	if c.r.br.Buffered() > 0 { // what came before the handshake was not the server
		return c.fatal("STARTTLS", errors.New("data after the answer to STARTTLS"))
	}
	tc := c.conn.(*timedConn)
	c.attach(&timedConn{Conn: tls.Client(tc.Conn, cfg), quickAck: tc.quickAck, timeout: tc.timeout, read: tc.read,
		written: tc.written})
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
	return c.authenticate(ctx, "PLAIN", raw, "*")
}

// AuthBearer authenticates with an OAuth token by OAUTHBEARER (RFC 7628), or
// by its forerunner XOAUTH2 where the server has only that.
func (c *Client) AuthBearer(ctx context.Context, user string, token string) error {
	if !c.Has("AUTH=OAUTHBEARER") && c.Has("AUTH=XOAUTH2") {
		return c.authenticate(ctx, "XOAUTH2", "user="+user+"\x01auth=Bearer "+token+"\x01\x01", "")
	}
	name := strings.NewReplacer("=", "=3D", ",", "=2C").Replace(user) // RFC 5801, saslname
	return c.authenticate(ctx, "OAUTHBEARER", "n,a="+name+",\x01auth=Bearer "+token+"\x01\x01", "AQ==")
}

// authenticate sends the credentials with the command or after the server's
// first "+". A further one carries the reason of a refusal (RFC 7628, section
// 3.2.3), which comes as such once the client has sent the mechanism's give-up line.
func (c *Client) authenticate(ctx context.Context, mech, raw, giveUp string) error {
	return c.loggedIn(ctx, func() error {
		answers := []string{base64.StdEncoding.EncodeToString([]byte(raw)), giveUp}
		args := []any{mech}
		if c.Has("SASL-IR") {
			args, answers = append(args, answers[0]), answers[1:]
		}
		return c.exchange(ctx, "AUTHENTICATE", args, answers)
	})
}

// exchange sends a command and one of the answers for each "+".
func (c *Client) exchange(ctx context.Context, op string, args []any, answers []string) error {
	if c.err != nil {
		return c.err
	}
	defer c.watch(ctx)()
	tag, err := c.send(op, args...)
	if err == nil {
		err = c.bw.Flush()
	}
	for err == nil {
		var line []byte
		if line, err = c.r.line(); err != nil {
			break
		}
		if len(line) > 0 && line[0] == '+' {
			if len(answers) == 0 {
				err = errors.New("server asks again and again")
				break
			}
			c.bw.WriteString(answers[0] + "\r\n")
			answers = answers[1:]
			err = c.bw.Flush()
			continue
		}
		var s status
		var done bool
		if s, done, err = c.response(tag, line, nil); done && err == nil {
			if s.word == "OK" {
				c.takeCapabilities(s)
			}
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
