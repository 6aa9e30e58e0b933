package imapwire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Appended says where messages went: one UID per message in their order,
// nil if the server does not tell (no UIDPLUS).
type Appended struct {
	UIDValidity uint32
	UIDs        Set
}

// Appender is an APPEND command that is being sent: one message, or several
// where the server has MULTIAPPEND. Either all of them are stored or none.
// Between [Client.Append] and [Appender.Commit] nothing else may run on the connection.
type Appender struct {
	c       *Client
	ctx     context.Context
	stop    func() bool
	mailbox string
	tag     string
	n       int
	err     error // the command has been answered already, or cannot go on
}

// Append begins to store messages in a mailbox.
func (c *Client) Append(ctx context.Context, mailbox string) *Appender {
	return &Appender{c: c, ctx: ctx, mailbox: mailbox, stop: c.watch(ctx)}
}

// Add sends one message of exactly size bytes, which body writes. The flags must be
// clean. A zero date lets the server take the present time. wait makes the
// literal a synchronising one, so that the server can refuse the flags before
// it sees the body; do that for flags the server has not accepted before.
// The error is the server's refusal (of all messages so far), an error of
// body, or fatal; after it only Commit may be called.
func (a *Appender) Add(flags []string, date time.Time, size int64, body io.WriterTo, wait bool) error {
	if a.err == nil {
		a.err = a.add(flags, date, size, body, wait)
	}
	return a.err
}

func (a *Appender) add(flags []string, date time.Time, size int64, body io.WriterTo, wait bool) error {
	c := a.c
	if c.err != nil {
		return c.err
	}
	if size <= 0 {
		return errors.New("imap: APPEND: an empty message cannot be stored")
	}
	if a.n > 0 && !c.Has("MULTIAPPEND") {
		return errors.New("imap: APPEND: server has no MULTIAPPEND")
	}
	fatal := func(err error) error { return c.fatal("APPEND", c.cause(a.ctx, err)) }
	if a.n == 0 {
		var err error
		if a.tag, err = c.send0("APPEND", str(a.mailbox)); err != nil {
			if _, ok := errors.AsType[*Error](err); ok {
				return err
			}
			return fatal(err)
		}
	}
	a.n++
	c.bw.WriteString(" (" + strings.Join(flags, " ") + ") ")
	if !date.IsZero() {
		c.bw.WriteString(`"` + FormatDate(date) + `" `)
	}
	if err := c.literalHead(a.tag, "APPEND", size, wait); err != nil {
		if _, ok := errors.AsType[*Error](err); ok {
			return err
		}
		return fatal(err)
	}
	to := &exactly{w: c.bw, left: size}
	if size >= directSize { // past the buffer: copying it there costs as much as the rest of our work
		if err := c.bw.Flush(); err != nil {
			return fatal(err)
		}
		to.w = c.conn
	}
	_, err := body.WriteTo(to)
	if err == nil && to.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		// The literal cannot be completed, and nothing may be stored half.
		return fatal(fmt.Errorf("message of %d bytes ends after %d: %w", size, size-to.left, err))
	}
	return nil
}

// directSize is from where on a message's content does not go through the
// connection's buffer.
const directSize = 64 << 10

// exactly refuses what is more than announced: the server would take it for commands.
type exactly struct {
	w    io.Writer
	left int64
}

func (e *exactly) Write(p []byte) (int, error) {
	if int64(len(p)) > e.left {
		return 0, errors.New("content goes on")
	}
	n, err := e.w.Write(p)
	e.left -= int64(n)
	return n, err
}

// Len is the number of messages added.
func (a *Appender) Len() int { return a.n }

// Commit ends the command and waits for the answer. Without messages it does nothing.
//
// A BAD closes the connection: the server may have lost the place where the
// messages end. When the error is fatal it is not known whether the messages
// were stored.
func (a *Appender) Commit() (Appended, error) {
	defer a.stop()
	var out Appended
	if a.err != nil {
		return out, a.err
	}
	if a.n == 0 {
		return out, nil
	}
	c := a.c
	c.bw.WriteString("\r\n")
	if err := c.bw.Flush(); err != nil {
		a.err = c.fatal("APPEND", c.cause(a.ctx, err))
		return out, a.err
	}
	s, err := c.finish(a.ctx, "APPEND", a.tag, nil)
	a.err = errors.New("imap: APPEND: already committed")
	if err != nil {
		if e, ok := errors.AsType[*Error](err); ok && e.Status == "BAD" {
			c.fatal("APPEND", err)
		}
		return out, err
	}
	if s.code == "APPENDUID" {
		validity, uids, _ := strings.Cut(s.arg, " ")
		if set, ok := ParseSet(strings.TrimSpace(uids)); ok && set.Len() == a.n {
			out.UIDValidity, out.UIDs = atou(validity), set
		}
	}
	return out, nil
}
