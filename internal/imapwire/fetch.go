package imapwire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// Message is what FETCH tells about one message. Items that were not asked
// for, or could not be read, are zero.
type Message struct {
	UID      uint32
	Flags    []string // as sent
	HasFlags bool     // FLAGS was in the answer
	Date     time.Time
	HasDate  bool // INTERNALDATE was there and could be read
	Size     int64
	ModSeq   uint64
	SHA1     string // DIGEST.SHA1 (Cyrus), 40 hex digits
	Header   []byte // BODY[HEADER...], as sent
	Missing  bool   // the body was asked for and the server said NIL
}

// Fetch runs UID FETCH. items are IMAP items, "FLAGS INTERNALDATE BODY.PEEK[]";
// UID is added. mod is "" or a modifier such as "(CHANGEDSINCE 5)".
//
// f is called once for each message. body is the content of BODY[] or RFC822
// as it arrives, nil if it was not asked for or the server has none; it need not be read to its
// end. When body is there, m holds only what the server sent in front of it: Cyrus and Dovecot
// send everything else first. A body in front of the UID (the order is free, RFC 9051, section 7.5.2) is
// kept until the answer ends. An error of f ends the command and with it the connection.
func (c *Client) Fetch(ctx context.Context, uids Set, items, mod string,
	f func(m *Message, body io.Reader, size int64) error) error {
	if len(uids) == 0 {
		return nil
	}
	args := []any{"FETCH", uids.String(), "(UID " + items + ")"}
	if mod != "" {
		args = append(args, mod)
	}
	_, err := c.exec(ctx, "UID", func(name string, _ uint32) (bool, error) {
		if name != "FETCH" {
			return false, nil
		}
		return true, c.fetchResponse(f)
	}, args...)
	return opError(err, "UID FETCH")
}

func (c *Client) fetchResponse(f func(*Message, io.Reader, int64) error) error {
	r := &c.r
	r.spaces()
	if r.peek() != '(' {
		return errSyntax
	}
	r.pos++
	m := &Message{}
	called := false
	var early *heldBody // came before the UID
	defer func() { early.close() }()
	for {
		r.spaces()
		if r.peek() == ')' {
			r.pos++
			break
		}
		key := r.key()
		if key == "" {
			return errSyntax
		}
		r.spaces()
		if content(key) && m.UID == 0 && r.pos >= len(r.seg) && r.lit >= 0 {
			var err error
			if early, err = r.hold(); err != nil {
				return err
			}
			continue
		}
		if content(key) {
			if err := c.fetchBody(m, f); err != nil {
				return err
			}
			called = true
			continue
		}
		v, err := r.value(0)
		if err != nil {
			return err
		}
		m.set(key, v)
	}
	if called || m.UID == 0 { // a flag change the server tells by itself
		return nil
	}
	err := error(nil)
	if early != nil {
		err = f(m, early.content, early.size)
	} else {
		err = f(m, nil, 0)
	}
	if err != nil {
		return handlerError{err}
	}
	return nil
}

// heldBody is a message's content that came before its UID: nobody can know
// yet what it is for. Small ones are kept in memory, large ones in a file.
type heldBody struct {
	content io.Reader
	size    int64
	file    *os.File
}

const maxHeldInMemory = 1 << 20

// hold reads the literal in front of the reader and the segment after it.
func (r *reader) hold() (*heldBody, error) {
	h := &heldBody{size: r.lit}
	if h.size <= maxHeldInMemory {
		b := make([]byte, h.size)
		if _, err := io.ReadFull(r.br, b); err != nil {
			return nil, err
		}
		h.content = bytes.NewReader(b)
		return h, r.next()
	}
	var err error
	if h.file, err = os.CreateTemp("", "imap-message"); err != nil {
		return nil, err
	}
	h.content = h.file
	if _, err = io.CopyN(h.file, r.br, h.size); err == nil {
		_, err = h.file.Seek(0, io.SeekStart)
	}
	if err == nil {
		err = r.next()
	}
	if err != nil {
		h.close()
		return nil, err
	}
	return h, nil
}

func (h *heldBody) close() {
	if h != nil && h.file != nil {
		h.file.Close()
		os.Remove(h.file.Name())
	}
}

// content reports whether an item is the whole message.
func content(key string) bool {
	return key == "BODY[]" || key == "RFC822" || key == "BINARY[]" || strings.HasPrefix(key, "BODY[]<")
}

func (c *Client) fetchBody(m *Message, f func(*Message, io.Reader, int64) error) error {
	r := &c.r
	if m.UID == 0 {
		return errSyntax // and no literal, which is what messages are
	}
	if r.pos < len(r.seg) || r.lit < 0 { // NIL, or a short quoted string
		v, err := r.value(0)
		if err != nil {
			return err
		}
		var body io.Reader
		if m.Missing = v.isNil; !v.isNil {
			body = strings.NewReader(v.text)
		}
		if err := f(m, body, int64(len(v.text))); err != nil {
			return handlerError{err}
		}
		return nil
	}
	size := r.lit
	body := &io.LimitedReader{R: r.br, N: size}
	if err := f(m, body, size); err != nil {
		return handlerError{err}
	}
	if _, err := io.CopyN(io.Discard, body.R, body.N); err != nil {
		return err
	}
	return r.next()
}

func (m *Message) set(key string, v value) {
	switch {
	case key == "UID":
		m.UID = atou(v.text)
	case key == "FLAGS":
		m.Flags, m.HasFlags = v.words(), v.isList
	case key == "INTERNALDATE":
		m.Date, m.HasDate = ParseDate(v.text)
	case key == "RFC822.SIZE":
		m.Size, _ = strconv.ParseInt(v.text, 10, 64)
	case key == "MODSEQ":
		if len(v.list) > 0 {
			m.ModSeq, _ = strconv.ParseUint(v.list[0].text, 10, 64)
		}
	case key == "DIGEST.SHA1":
		if len(v.text) == 40 {
			m.SHA1 = strings.ToLower(v.text)
		}
	case strings.HasPrefix(key, "BODY[HEADER"):
		m.Header = []byte(v.text)
	}
}

// ParseDate reads an IMAP date-time, blank- or zero-padded. An impossible date
// or zone gives ok = false.
func ParseDate(s string) (t time.Time, ok bool) {
	t, err := time.Parse("2-Jan-2006 15:04:05 -0700", strings.TrimSpace(s))
	return t, err == nil
}

// FormatDate writes an IMAP date-time without quotes. Zones outside of the
// fourteen hours that exist are written as UTC.
func FormatDate(t time.Time) string {
	if _, off := t.Zone(); off < -14*3600 || off > 14*3600 || off%60 != 0 {
		t = t.UTC()
	}
	return t.Format("02-Jan-2006 15:04:05 -0700")
}

// Search runs UID SEARCH with the given criteria ("ALL") and returns the UIDs.
func (c *Client) Search(ctx context.Context, criteria string) (Set, error) {
	var found Set
	_, err := c.exec(ctx, "UID", c.found(&found), c.searching(criteria)...)
	return found, opError(err, "UID SEARCH")
}

// searching are the arguments of a UID command that searches.
func (c *Client) searching(criteria string) []any {
	if c.Has("ESEARCH") {
		return []any{"SEARCH", "RETURN (ALL)", criteria}
	}
	return []any{"SEARCH", criteria}
}

// found takes what a search answers.
func (c *Client) found(to *Set) handler {
	return func(name string, _ uint32) (bool, error) {
		switch name {
		case "SEARCH":
			for f := range bytes.FieldsSeq(c.r.seg[c.r.pos:]) {
				if n := atou(string(f)); n > 0 {
					to.Add(n)
				}
			}
			return true, nil
		case "ESEARCH":
			words := strings.Fields(c.r.rest())
			for i := 0; i+1 < len(words); i++ {
				if strings.EqualFold(words[i], "ALL") {
					s, ok := ParseSet(words[i+1])
					if !ok {
						return true, fmt.Errorf("%w: ESEARCH", errSyntax)
					}
					for _, r := range s {
						to.AddRange(r.First, r.Last)
					}
				}
			}
			return true, nil
		}
		return false, nil
	}
}

// StoreFlags adds ("+"), removes ("-") or sets ("") flags. The flags must be
// clean (see [CleanFlags]). Answers are silenced.
func (c *Client) StoreFlags(ctx context.Context, uids Set, sign string, flags []string) error {
	for _, part := range uids.Chunks(1 << 30) {
		err := c.simple(ctx, "UID", "STORE", part.String(), sign+"FLAGS.SILENT", "("+strings.Join(flags, " ")+")")
		if err != nil {
			return opError(err, "UID STORE")
		}
	}
	return nil
}

// Expunge removes the messages that are marked \Deleted among uids (UIDPLUS).
func (c *Client) Expunge(ctx context.Context, uids Set) error {
	if !c.Has("UIDPLUS") {
		return errors.New("imap: server has no UIDPLUS, EXPUNGE would remove other messages too")
	}
	for _, part := range uids.Chunks(1 << 30) {
		if err := c.simple(ctx, "UID", "EXPUNGE", part.String()); err != nil {
			return opError(err, "UID EXPUNGE")
		}
	}
	return nil
}

func opError(err error, op string) error {
	if e, ok := errors.AsType[*Error](err); ok {
		e.Op = op
	}
	return err
}
