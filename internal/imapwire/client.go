package imapwire

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// TLSMode says how a connection is protected.
type TLSMode int

const (
	// StartTLS begins in clear text and demands STARTTLS before anything else.
	StartTLS TLSMode = iota
	// ImplicitTLS is TLS from the first byte (port 993).
	ImplicitTLS
	// NoTLS is clear text, for tests and for loopback.
	NoTLS
)

// Options of a connection. The zero value demands STARTTLS with verification.
type Options struct {
	TLS       TLSMode
	TLSConfig *tls.Config // nil means defaults; ServerName is filled in
	// Timeout ends a connection on which nothing moves; 0 means 5 minutes.
	// A server may be silent that long while it opens a big folder.
	Timeout time.Duration
	// Dial connects; nil means a net.Dialer with 30 seconds.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// BufferSize of reader and writer; 0 means 64 KiB.
	BufferSize int
}

// Client is one IMAP connection, for one goroutine at a time.
type Client struct {
	conn net.Conn
	r    reader
	bw   *bufio.Writer
	buf  int

	tag      int
	caps     map[string]bool
	capsRead int   // how often the server listed them
	err      error // fatal: set once
	bye      *Bye

	// Odd holds the first odd responses that were skipped, at most 20, each
	// cut to 200 bytes; OddCount counts all.
	Odd      []string
	OddCount int

	// Read and Written count bytes on the wire (after TLS).
	Read, Written int64
}

// Dial connects to "host:port" and reads the greeting; with [StartTLS] the
// connection is encrypted when Dial returns.
func Dial(ctx context.Context, addr string, o *Options) (*Client, error) {
	var opt Options
	if o != nil {
		opt = *o
	}
	dial := opt.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: 30 * time.Second}).DialContext
	}
	conn, err := dial(ctx, "tcp", addr)
	if err != nil {
		return nil, connErr("connect to "+addr, err)
	}
	cfg := opt.TLSConfig
	if opt.TLS != NoTLS {
		if cfg = cfg.Clone(); cfg == nil {
			cfg = &tls.Config{}
		}
		if cfg.ServerName == "" {
			cfg.ServerName, _, _ = net.SplitHostPort(addr)
		}
	}
	if opt.TLS == ImplicitTLS {
		conn = tls.Client(conn, cfg)
	}
	c, err := New(ctx, conn, &opt)
	if err != nil {
		return nil, err
	}
	if opt.TLS == StartTLS {
		if err := c.startTLS(ctx, cfg); err != nil {
			c.Close()
			return nil, err
		}
	}
	return c, nil
}

// New takes a connection and reads the greeting. o.TLS is not looked at.
func New(ctx context.Context, conn net.Conn, o *Options) (*Client, error) {
	var opt Options
	if o != nil {
		opt = *o
	}
	if opt.Timeout <= 0 {
		opt.Timeout = 5 * time.Minute
	}
	if opt.BufferSize <= 0 {
		opt.BufferSize = 64 << 10
	}
	c := &Client{buf: opt.BufferSize}
	c.attach(&timedConn{Conn: conn, quickAck: quickAck(conn), timeout: opt.Timeout, read: &c.Read, written: &c.Written})
	defer c.watch(ctx)()
	line, err := c.r.line()
	if err != nil {
		return nil, c.fatal("greeting", c.cause(ctx, err))
	}
	rest, ok := strings.CutPrefix(string(line), "* ")
	s := parseStatus(strings.TrimLeft(rest, " "))
	if ok && s.word == "BYE" {
		return nil, c.fatal("greeting", &Bye{Code: s.code, Text: s.text})
	}
	if !ok || s.word != "OK" && s.word != "PREAUTH" {
		return nil, c.fatal("greeting", fmt.Errorf("server says %.200q", line))
	}
	c.takeCapabilities(s)
	return c, nil
}

func (c *Client) attach(conn net.Conn) {
	c.conn = conn
	c.r.br = bufio.NewReaderSize(conn, c.buf)
	c.bw = bufio.NewWriterSize(conn, c.buf)
}

// timedConn moves the deadline with every read and write, so that the timeout
// is one of silence and not of whole commands.
type timedConn struct {
	net.Conn
	quickAck      func()
	timeout       time.Duration
	read, written *int64
}

func (t *timedConn) Read(b []byte) (int, error) {
	t.Conn.SetReadDeadline(time.Now().Add(t.timeout))
	n, err := t.Conn.Read(b)
	*t.read += int64(n)
	if t.quickAck != nil {
		t.quickAck()
	}
	return n, err
}

func (t *timedConn) Write(b []byte) (int, error) {
	t.Conn.SetWriteDeadline(time.Now().Add(t.timeout))
	n, err := t.Conn.Write(b)
	*t.written += int64(n)
	return n, err
}

// watch closes the connection when the context ends; the result stops watching.
func (c *Client) watch(ctx context.Context) func() bool {
	conn := c.conn
	return context.AfterFunc(ctx, func() { conn.Close() })
}

func (c *Client) cause(ctx context.Context, err error) error {
	if e := ctx.Err(); e != nil {
		return e
	}
	if c.bye != nil {
		return c.bye
	}
	return err
}

func (c *Client) fatal(op string, err error) error {
	if c.err == nil {
		c.err = connErr(op, err)
		c.conn.Close()
	}
	return c.err
}

// Err returns the error that ended the connection, nil while it is usable.
func (c *Client) Err() error { return c.err }

// Close closes the connection without LOGOUT. It may be called twice, and
// from another goroutine to interrupt a running command.
func (c *Client) Close() error { return c.conn.Close() }

// Logout ends the session politely and closes the connection.
func (c *Client) Logout(ctx context.Context) error {
	defer c.Close()
	return c.simple(ctx, "LOGOUT")
}

// Has reports a capability, such as "MULTIAPPEND".
func (c *Client) Has(name string) bool { return c.caps[strings.ToUpper(name)] }

// Capabilities returns what the server offers, unsorted.
func (c *Client) Capabilities() []string {
	var out []string
	for k := range c.caps {
		out = append(out, k)
	}
	return out
}

// CapabilityValue returns n of "NAME=n", such as APPENDLIMIT.
func (c *Client) CapabilityValue(name string) (int64, bool) {
	for k := range c.caps {
		if v, ok := strings.CutPrefix(k, strings.ToUpper(name)+"="); ok {
			if n, err := strconv.ParseInt(v, 10, 64); err == nil {
				return n, true
			}
		}
	}
	return 0, false
}

func (c *Client) takeCapabilities(s status) {
	if s.code == "CAPABILITY" {
		c.setCapabilities(s.arg)
	}
}

func (c *Client) setCapabilities(text string) {
	c.caps = map[string]bool{}
	c.capsRead++
	for f := range strings.FieldsSeq(text) {
		c.caps[strings.ToUpper(f)] = true
	}
}

// handler takes one untagged data response; the reader stands behind the
// response's name. It reports whether it knew the response.
type handler func(name string, num uint32) (bool, error)

// exec sends one command and reads to its end. args are strings, sent as they
// are, or literals of type str.
func (c *Client) exec(ctx context.Context, op string, h handler, args ...any) (status, error) {
	if c.err != nil {
		return status{}, c.err
	}
	defer c.watch(ctx)()
	tag, err := c.send(op, args...)
	if err == nil {
		err = c.bw.Flush()
	}
	if err != nil {
		if e, ok := errors.AsType[*Error](err); ok {
			return status{}, e
		}
		return status{}, c.fatal(op, c.cause(ctx, err))
	}
	return c.finish(ctx, op, tag, h)
}

func (c *Client) simple(ctx context.Context, op string, args ...any) error {
	_, err := c.exec(ctx, op, nil, args...)
	return err
}

// str is an argument that needs quoting: a mailbox name, a password.
type str string

// send writes a command without flushing it. op is its name, shown in errors.
func (c *Client) send(op string, args ...any) (tag string, err error) {
	if tag, err = c.send0(op, args...); err == nil {
		_, err = c.bw.WriteString("\r\n")
	}
	return tag, err
}

// send0 is send without the end of the line.
func (c *Client) send0(op string, args ...any) (tag string, err error) {
	c.tag++
	tag = "s" + strconv.Itoa(c.tag)
	c.bw.WriteString(tag + " " + op)
	for _, a := range args {
		c.bw.WriteByte(' ')
		if err := c.writeArg(tag, op, a); err != nil {
			return tag, err
		}
	}
	return tag, nil
}

func (c *Client) writeArg(tag, op string, a any) error {
	s, ok := a.(str)
	if !ok {
		_, err := c.bw.WriteString(a.(string))
		return err
	}
	if q, ok := quote(string(s)); ok {
		_, err := c.bw.WriteString(q)
		return err
	}
	if err := c.literalHead(tag, op, int64(len(s)), false); err != nil {
		return err
	}
	_, err := c.bw.WriteString(string(s))
	return err
}

// literalHead announces a literal: without waiting where the server allows it
// and wait is false.
func (c *Client) literalHead(tag, op string, size int64, wait bool) error {
	plus := c.Has("LITERAL+") || size <= 4096 && c.Has("LITERAL-")
	if plus && !wait {
		_, err := fmt.Fprintf(c.bw, "{%d+}\r\n", size)
		return err
	}
	fmt.Fprintf(c.bw, "{%d}\r\n", size)
	if err := c.bw.Flush(); err != nil {
		return err
	}
	for {
		line, err := c.r.line()
		if err != nil {
			return err
		}
		if len(line) > 0 && line[0] == '+' {
			return nil
		}
		if s, done, err := c.response(tag, line, nil); err != nil {
			return err
		} else if done {
			if err := c.refused(op, s); err != nil {
				return err
			}
			return errors.New("server answers OK before it has the whole command")
		}
	}
}

// quote writes a quoted string, which cannot hold eight-bit bytes or controls.
func quote(s string) (string, bool) {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x7f {
			return "", false
		}
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`, true
}

func (c *Client) refused(op string, s status) error {
	if s.word == "OK" {
		return nil
	}
	return &Error{Op: op, Status: s.word, Code: s.code, Text: s.text}
}

// finish reads responses up to the tagged one.
func (c *Client) finish(ctx context.Context, op, tag string, h handler) (status, error) {
	for {
		line, err := c.r.line()
		if err != nil {
			return status{}, c.fatal(op, c.cause(ctx, err))
		}
		s, done, err := c.response(tag, line, h)
		if err != nil {
			return status{}, c.fatal(op, c.cause(ctx, err))
		}
		if done {
			if s.word == "OK" {
				c.takeCapabilities(s)
			}
			return s, c.refused(op, s)
		}
	}
}

// handlerError carries an error of the caller's function out of response
// without taking it for an odd line.
type handlerError struct{ error }

func (h handlerError) Unwrap() error { return h.error }

// response works on one response whose first line has been read into c.r.seg.
// Errors are fatal.
func (c *Client) response(tag string, line []byte, h handler) (s status, done bool, err error) {
	if len(line) == 0 {
		return s, false, nil
	}
	first, rest, _ := strings.Cut(string(line[:min(len(line), 1024)]), " ")
	rest = strings.TrimLeft(rest, " ") // some servers write "*  16 EXISTS"
	if first == tag {
		return parseStatus(rest), true, nil
	}
	if first == "+" {
		return s, false, nil // a continuation nobody waits for
	}
	if first != "*" {
		c.odd(line)
		return s, false, nil
	}
	word, _, _ := strings.Cut(rest, " ")
	switch strings.ToUpper(word) {
	case "OK", "NO", "BAD", "PREAUTH", "BYE":
		st := parseStatus(rest)
		if st.word == "BYE" {
			c.bye = &Bye{Code: st.code, Text: st.text}
		}
		c.takeCapabilities(st)
		if h != nil && st.code != "" {
			_, err = h("["+st.code, atou(st.arg))
		}
		return s, false, err
	}
	head := append([]byte(nil), line[:min(len(line), 200)]...)
	c.r.pos = 2
	c.r.findLiteral()
	c.r.spaces()
	name := strings.ToUpper(c.r.word())
	var num uint32
	if n, err := strconv.ParseUint(name, 10, 32); err == nil {
		num = uint32(n)
		c.r.spaces()
		name = strings.ToUpper(c.r.word())
	}
	// A response that h does not know is ordinary: EXISTS, FLAGS, extensions.
	if name == "CAPABILITY" {
		c.setCapabilities(c.r.rest())
	} else if h != nil {
		if _, err := h(name, num); err != nil {
			if he, ok := err.(handlerError); ok {
				return s, false, he.error
			}
			if !errors.Is(err, errSyntax) {
				return s, false, err
			}
			c.odd(head)
		}
	}
	return s, false, c.r.skip()
}

func (c *Client) odd(line []byte) {
	c.OddCount++
	if len(c.Odd) < 20 {
		c.Odd = append(c.Odd, string(line[:min(len(line), 200)]))
	}
}

func atou(s string) uint32 {
	n, _ := strconv.ParseUint(strings.TrimSpace(s), 10, 32)
	return uint32(n)
}

// command is one of a pipeline.
type command struct {
	op   string
	args []any
}

// pipeline sends commands without waiting for each answer, at most window at a
// time, and returns each one's refusal. Untagged data goes to h.
func (c *Client) pipeline(ctx context.Context, h handler, cmds []command) ([]error, error) {
	const window = 50
	if c.err != nil {
		return nil, c.err
	}
	defer c.watch(ctx)()
	errs := make([]error, len(cmds))
	for start := 0; start < len(cmds); start += window {
		part := cmds[start:min(start+window, len(cmds))]
		tags := make([]string, len(part))
		finished := 0
		wait := func(upTo int) error {
			if err := c.bw.Flush(); err != nil {
				return c.fatal("pipeline", c.cause(ctx, err))
			}
			for ; finished < upTo; finished++ {
				_, err := c.finish(ctx, part[finished].op, tags[finished], h)
				if c.err != nil {
					return c.err
				}
				errs[start+finished] = err
			}
			return nil
		}
		for i, cmd := range part {
			if !c.plain(cmd) { // a synchronising literal: everything before must be answered
				if err := wait(i); err != nil {
					return errs, err
				}
				_, errs[start+i] = c.exec(ctx, cmd.op, h, cmd.args...)
				if c.err != nil {
					return errs, c.err
				}
				finished = i + 1
				continue
			}
			var err error
			if tags[i], err = c.send(cmd.op, cmd.args...); err != nil {
				return errs, c.fatal(cmd.op, c.cause(ctx, err))
			}
		}
		if err := wait(len(part)); err != nil {
			return errs, err
		}
	}
	return errs, nil
}

// plain reports whether a command needs no synchronising literal.
func (c *Client) plain(cmd command) bool {
	if c.Has("LITERAL+") {
		return true
	}
	for _, a := range cmd.args {
		if s, ok := a.(str); ok {
			if _, ok := quote(string(s)); !ok {
				return false
			}
		}
	}
	return true
}

var _ io.Closer = (*Client)(nil)
