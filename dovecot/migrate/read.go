package migrate

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/mail"
	"net/textproto"
	"slices"
	"strings"
	"time"

	"github.com/ictmedia/schoolmail/internal/imapwire"
)

// read sends messages into ch. All of a message is asked for in one FETCH where the folder is
// small; where the server does not tell flags, date and size in front of the content, and in
// large folders, a FETCH of content follows one of these, so that everything is known before the
// content comes.
func (w *writer) read(ctx context.Context, uids imapwire.Set, ch chan<- piece) error {
	size := fetchCount
	if w.single {
		size = 1
	}
	for _, part := range uids.Chunks(size) {
		r := &reader{folderRun: w.folderRun, ctx: ctx, ch: ch, meta: make(map[uint32]imapwire.Message, part.Len())}
		err := r.part(part)
		if f, ok := errors.AsType[*failure](err); ok && w.single {
			f.at = place{side: f.at.side, op: opCopy, folder: w.SourceRaw, uid: part[0].First, alone: true}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// reader reads one part of a folder's messages.
type reader struct {
	*folderRun
	ctx  context.Context
	ch   chan<- piece
	meta map[uint32]imapwire.Message // of messages whose content has not come yet
}

// inOne is up to how many messages are fetched in one command. A large folder gains nothing by it,
// and what the target would refuse for its size is better not sent at all.
const inOne = 200

// together fetches all of each message at once, and returns those that did not come whole.
func (r *reader) together(part imapwire.Set) (left imapwire.Set, err error) {
	if r.take.limit > 0 || part.Len() < 2 || part.Len() > inOne {
		return part, nil
	}
	var sent imapwire.Set
	err = r.src.fetch(r.ctx, part, r.src.metaItems()+" BODY.PEEK[]", func(m *imapwire.Message, body io.Reader,
		size int64) error {
		whole := m.HasFlags && m.HasDate && m.Size > 0 && (m.SHA1 != "" || !r.src.tellsDigests())
		if !part.Contains(m.UID) || body == nil || !whole || sent.Contains(m.UID) {
			return nil
		}
		r.meta[m.UID] = *m
		sent.Add(m.UID)
		return r.message(m, body, size)
	})
	if _, refused := errors.AsType[*imapwire.Error](err); refused {
		if _, later := throttle(err); !later {
			err = nil // the rest is asked for once more, and then reported
		}
	}
	return part.Without(sent), err
}

func (r *reader) part(part imapwire.Set) error {
	part, err := r.together(part)
	if err != nil || len(part) == 0 {
		return err
	}
	if err := r.src.apart(part, func() imapwire.Set { return part.Without(r.told(part)) }, func(uids imapwire.Set) error {
		return r.src.fetch(r.ctx, uids, r.src.metaItems(), func(m *imapwire.Message, _ io.Reader, _ int64) error {
			if part.Contains(m.UID) {
				r.meta[m.UID] = *m
			}
			return nil
		})
	}); err != nil {
		return err
	}
	var want, silent imapwire.Set
	for uid := range part.All() {
		m, ok := r.meta[uid]
		switch {
		case !ok:
			silent.Add(uid) // gone since, or the answer could not be read
		case r.take.limit > 0 && m.Size > r.take.limit:
			r.led.lose(r.Mapping, uid, ProblemTooBig, "%d bytes, the target takes %d", m.Size, r.take.limit)
			delete(r.meta, uid)
		default:
			want.Add(uid)
		}
	}
	if err := r.contents(want); err != nil {
		return err
	}
	return r.missing(part, silent)
}

// contents fetches what is in the messages. Those that the source refuses together are asked for one by one; what
// it refuses again is left in meta.
func (r *reader) contents(uids imapwire.Set) error {
	err := r.src.fetch(r.ctx, uids, "BODY.PEEK[]", r.message)
	if _, refused := errors.AsType[*imapwire.Error](err); !refused || r.src.ends(err) {
		return err
	}
	r.m.opt.Logger.Warn("source refused a part of FETCH", "account", r.acct.Name, "error", err)
	if uids.Len() == 1 {
		return nil
	}
	err = r.src.oneByOne(r.told(uids), func(one imapwire.Set) (imapwire.Set, error) {
		return nil, r.src.fetch(r.ctx, one, "BODY.PEEK[]", r.message)
	})
	if _, refused := errors.AsType[*imapwire.Error](err); refused && !r.src.ends(err) {
		return nil // one after the other: they are reported, too
	}
	return err
}

// told are those messages of which the source has told, and whose content has not come.
func (r *reader) told(uids imapwire.Set) (told imapwire.Set) {
	for uid := range uids.All() {
		if _, ok := r.meta[uid]; ok {
			told.Add(uid)
		}
	}
	return told
}

// missing reports messages that the source lists and has not sent.
func (r *reader) missing(part, silent imapwire.Set) error {
	if len(r.meta)+len(silent) == 0 {
		return nil
	}
	live, err := r.src.search(r.ctx, r.SourceRaw, "ALL")
	if err != nil {
		return err
	}
	for uid := range part.All() {
		if _, ok := r.meta[uid]; (ok || silent.Contains(uid)) && live.Contains(uid) {
			r.led.lose(r.Mapping, uid, ProblemMissing, "the source lists the message and does not send it")
		}
	}
	return nil
}

func (r *reader) send(p piece) error {
	select {
	case r.ch <- p:
		return nil
	case <-r.ctx.Done():
		p.release()
		return r.ctx.Err()
	}
}

// message takes one message's content.
func (r *reader) message(m *imapwire.Message, body io.Reader, size int64) error {
	info, ok := r.meta[m.UID]
	if !ok || body == nil && !m.Missing {
		return nil // something unasked for
	}
	delete(r.meta, m.UID)
	switch {
	case m.Missing:
		r.led.lose(r.Mapping, m.UID, ProblemMissing, "the source lists the message and has no content for it")
		return nil
	case size == 0:
		r.led.lose(r.Mapping, m.UID, ProblemEmpty, "the message has no content, which IMAP cannot store")
		return nil
	case r.take.limit > 0 && size > r.take.limit:
		r.led.lose(r.Mapping, m.UID, ProblemTooBig, "%d bytes, the target takes %d", size, r.take.limit)
		return nil
	}
	out := &message{uid: m.UID, size: size, date: info.Date}
	var bad []string
	out.flags, bad = r.take.clean(r.src.called(info.Flags))
	if len(bad) > 0 {
		r.led.warn(r.Mapping, m.UID, ProblemKeyword, "copied without the keywords %q, which no server would take", bad)
	}
	if r.withoutKeywords(m.UID, false) {
		out.flags, out.dropped = systemFlags(out.flags)
	}
	if !info.HasDate || !keeps(info.Date) {
		b := bufio.NewReaderSize(body, maxHeader)
		head, _ := b.Peek(int(min(size, maxHeader)))
		body = b
		out.date = headerDate(head)
		r.led.warn(r.Mapping, m.UID, ProblemDate, "the source gives no date that a server could keep; %s is used",
			out.date.Format(time.DateOnly))
	}
	if err := r.send(piece{msg: out}); err != nil {
		return err
	}
	return r.content(out, body, info.SHA1)
}

// content sends a message's content piece by piece.
func (r *reader) content(out *message, body io.Reader, sha1 string) error {
	h := r.src.kind.new()
	for left := out.size; left > 0; {
		buf := *pieces.Get().(*[]byte)
		n, err := io.ReadFull(body, buf[:min(left, pieceSize)])
		if err != nil {
			return err
		}
		h.Write(buf[:n])
		if left -= int64(n); left == 0 {
			out.digest = sum(h) // before the last piece is handed over
		}
		if err := r.send(piece{data: buf[:n]}); err != nil {
			return err
		}
	}
	if want, ok := parseDigest(sha1); ok && r.src.kind == kindSHA1 && want != out.digest {
		r.led.warn(r.Mapping, out.uid, ProblemMissing,
			"the content differs from the source's own digest; it was copied as sent")
	}
	return nil
}

// systemFlags parts flags from keywords.
func systemFlags(flags []string) (system, keywords []string) {
	keywords = slices.Clone(flags)
	system = slices.DeleteFunc(slices.Clone(flags), func(f string) bool { return !strings.HasPrefix(f, `\`) })
	return system, slices.DeleteFunc(keywords, func(f string) bool { return strings.HasPrefix(f, `\`) })
}

// keeps reports whether a server can keep a date: what Dovecot stores are seconds since 1970,
// and 2.3 makes 2096 of a date in 1960.
func keeps(t time.Time) bool { return t.Unix() >= 0 && t.Unix() < 1<<32 }

// headerDate is the date of a message whose source has none that can be kept: of its Date
// field, else of its last Received field, else the first of January 1970.
func headerDate(head []byte) time.Time {
	if end, _ := headerEnd(head); end >= 0 {
		head = head[:end]
	}
	h, _ := textproto.NewReader(bufio.NewReader(io.MultiReader(bytes.NewReader(head),
		strings.NewReader("\r\n\r\n")))).ReadMIMEHeader()
	dates := []string{h.Get("Date")}
	if received := h.Values("Received"); len(received) > 0 {
		_, date, _ := cutLast(received[0], ";")
		dates = append(dates, date)
	}
	for _, d := range dates {
		if t, err := mail.ParseDate(strings.TrimSpace(d)); err == nil && keeps(t) {
			return t
		}
	}
	return time.Unix(0, 0).UTC()
}

func cutLast(s, sep string) (before, after string, ok bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
