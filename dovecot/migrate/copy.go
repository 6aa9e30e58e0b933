package migrate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/ictmedia/schoolmail/internal/imapwire"
)

const (
	pieceSize  = 64 << 10
	pieceCount = 16   // between source and target: 1 MiB for each account
	fetchCount = 2000 // messages in one FETCH
)

// message is one source message on its way.
type message struct {
	uid    uint32
	flags  []string // clean
	date   time.Time
	size   int64
	digest digest // set when all pieces have been read
}

// piece is what flows from the source's goroutine to the target's: a message,
// then its content.
type piece struct {
	msg  *message
	data []byte
}

var pieces = sync.Pool{New: func() any { b := make([]byte, pieceSize); return &b }}

// maxBatch is the size to which batches grow in big folders. It stays below
// what a run may leave unrecorded (see looseAfterCrash).
const maxBatch = 800

// A batch that has taken less than quickBatch may have moreWhenQuick times the
// bytes: every answer costs a wait for the target, which matters when large messages travel fast.
const (
	quickBatch    = 500 * time.Millisecond
	moreWhenQuick = 16
)

// filled is about how many messages the target folder has.
func (s *session) filled(f *folderRun) int {
	n := int(f.appended)
	if ds := s.dstStatus[f.TargetRaw]; ds != nil {
		n = max(n, int(ds.Messages))
	}
	return n
}

// errSource marks an error of the source while the target was writing.
var errSource = errors.New("source")

// copyAll brings source messages to the target: a goroutine reads the source
// ahead while this one writes batches. What the target refused in a batch is
// tried alone afterwards.
func (s *session) copyAll(ctx context.Context, f *folderRun, uids imapwire.Set) error {
	refused, err := s.copyBatches(ctx, f, uids, s.batch)
	for attempt := 0; err == nil && len(refused) > 0 && attempt < 3; attempt++ {
		// Alone, each message gets its own answer; 1 means final unless it is temporary.
		refused, err = s.copyBatches(ctx, f, refused, 1)
	}
	for uid := range refused.All() {
		s.lose(f, uid, ProblemRefused, "refused three times: %v", s.refusal)
	}
	return err
}

func (s *session) copyBatches(ctx context.Context, f *folderRun, uids imapwire.Set, batch int) (refused imapwire.Set, err error) {
	ctx, cancel := context.WithCancel(ctx)
	ch := make(chan piece, pieceCount)
	var readErr error
	go func() {
		defer close(ch)
		readErr = s.read(ctx, f, uids, ch)
	}()
	w := &writer{s: s, ctx: ctx, f: f, ch: ch, limit: batch}
	err = w.run()
	// The reader ends by itself when all has been read, or because nobody
	// reads any more; its connection is lost then.
	cancel()
	for p := range ch {
		p.release()
	}
	if readErr != nil && (err == nil || errors.Is(err, errSource)) {
		err = readErr
	}
	return w.refused, err
}

func (p piece) release() {
	if p.data != nil {
		b := p.data[:pieceSize]
		pieces.Put(&b)
	}
}

// read sends messages into ch. Each FETCH of content follows one of flags,
// dates and sizes, so that everything is known before the content comes.
func (s *session) read(ctx context.Context, f *folderRun, uids imapwire.Set, ch chan<- piece) error {
	kind := s.st.acct.Digest
	items := "FLAGS INTERNALDATE RFC822.SIZE"
	if s.src.Has("DIGEST=SHA1") && kind == kindSHA1 {
		items += " DIGEST.SHA1"
	}
	send := func(p piece) error {
		select {
		case ch <- p:
			return nil
		case <-ctx.Done():
			p.release()
			return ctx.Err()
		}
	}
	for _, part := range uids.Chunks(fetchCount) {
		meta := make(map[uint32]imapwire.Message, min(part.Len(), fetchCount))
		if err := s.src.Fetch(ctx, part, items, "", func(m *imapwire.Message, _ io.Reader, _ int64) error {
			if part.Contains(m.UID) {
				meta[m.UID] = *m
			}
			return nil
		}); err != nil {
			return fmt.Errorf("source: %w", err)
		}
		var want, silent imapwire.Set
		for uid := range part.All() {
			m, ok := meta[uid]
			if !ok {
				silent.Add(uid) // gone since, or the answer could not be read
				continue
			}
			if s.limit > 0 && m.Size > s.limit {
				s.lose(f, uid, ProblemTooBig, "%d bytes, the target takes %d", m.Size, s.limit)
				delete(meta, uid)
				continue
			}
			want.Add(uid)
		}
		err := s.src.Fetch(ctx, want, "BODY.PEEK[]", "", func(m *imapwire.Message, body io.Reader, size int64) error {
			info, ok := meta[m.UID]
			if !ok || body == nil && !m.Missing {
				return nil // something unasked for
			}
			delete(meta, m.UID)
			switch {
			case m.Missing:
				s.lose(f, m.UID, ProblemMissing, "the source lists the message and has no content for it")
				return nil
			case size == 0:
				s.lose(f, m.UID, ProblemEmpty, "the message has no content, which IMAP cannot store")
				return nil
			case s.limit > 0 && size > s.limit:
				s.lose(f, m.UID, ProblemTooBig, "%d bytes, the target takes %d", size, s.limit)
				return nil
			}
			out := &message{uid: m.UID, size: size, date: info.Date}
			var bad []string
			out.flags, bad = imapwire.CleanFlags(info.Flags)
			if len(bad) > 0 {
				s.warn(f, m.UID, ProblemKeyword, "copied without the keywords %q, which no server would take", bad)
			}
			if !info.HasDate {
				s.warn(f, m.UID, ProblemDate, "the source gives no readable date; the time of the copy is used")
			}
			if err := send(piece{msg: out}); err != nil {
				return err
			}
			h := kind.new()
			for left := size; left > 0; {
				buf := *pieces.Get().(*[]byte)
				n, err := io.ReadFull(body, buf[:min(left, pieceSize)])
				if err != nil {
					return err
				}
				h.Write(buf[:n])
				if left -= int64(n); left == 0 {
					out.digest = sum(h) // before the last piece is handed over
				}
				if err := send(piece{data: buf[:n]}); err != nil {
					return err
				}
			}
			if want, ok := parseDigest(info.SHA1); ok && kind == kindSHA1 && want != out.digest {
				s.warn(f, m.UID, ProblemMissing, "the content differs from the source's own digest; it was copied as sent")
			}
			return nil
		})
		if e, ok := errors.AsType[*imapwire.Error](err); ok {
			// NO after a FETCH: some messages could not be read; they are reported below.
			s.m.opt.Logger.Warn("source refused a part of FETCH", "account", s.acct.Name, "error", e)
		} else if err != nil {
			return fmt.Errorf("source: %w", err)
		}
		if len(meta)+len(silent) > 0 {
			live, err := s.src.Search(ctx, "ALL")
			if err != nil {
				return fmt.Errorf("source: %w", err)
			}
			for uid := range part.All() {
				if _, ok := meta[uid]; (ok || silent.Contains(uid)) && live.Contains(uid) {
					s.lose(f, uid, ProblemMissing, "the source lists the message and does not send it")
				}
			}
		}
	}
	return nil
}

// writer takes messages from the channel and stores them in batches.
type writer struct {
	s       *session
	ctx     context.Context
	f       *folderRun
	ch      <-chan piece
	limit   int
	app     *imapwire.Appender
	pending []*message
	bytes   int64
	refused imapwire.Set

	begun time.Time // of the batch
	left  int64     // of the current message
}

func (w *writer) run() error {
	for {
		p, ok := <-w.ch
		if !ok {
			return w.commit()
		}
		if p.msg == nil {
			p.release()
			continue
		}
		if err := w.add(p.msg); err != nil {
			return err
		}
	}
}

// WriteTo gives the current message's content to the Appender.
func (w *writer) WriteTo(to io.Writer) (n int64, err error) {
	for w.left > 0 {
		p, ok := <-w.ch
		if !ok {
			return n, errSource
		}
		k, err := to.Write(p.data)
		p.release()
		n += int64(k)
		w.left -= int64(k)
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

func (w *writer) add(m *message) error {
	o := &w.s.m.opt
	limit, bytes := w.limit, o.BatchBytes
	if limit > 1 {
		// The target's work for a batch grows with the folder, which a Maildir
		// reads anew after each: batches grow with it.
		more := min(max(w.s.filled(w.f)/100, limit), max(limit, maxBatch)) / limit
		limit, bytes = limit*more, bytes*int64(more)
	}
	if w.app != nil && time.Since(w.begun) < quickBatch {
		bytes *= moreWhenQuick
	}
	if len(w.pending) > 0 && (len(w.pending) >= limit || w.bytes+m.size > bytes) {
		if err := w.commit(); err != nil {
			return err
		}
	}
	if w.app == nil {
		w.app, w.begun = w.s.dst.Append(w.ctx, w.f.TargetRaw), time.Now()
	}
	w.pending = append(w.pending, m)
	w.bytes += m.size
	w.left = m.size
	// A keyword that the target has not accepted before is sent ahead of a
	// literal that waits: after a refusal it would take the content for commands.
	wait := false
	for _, k := range m.flags {
		wait = wait || k[0] != '\\' && !w.s.proven[k]
	}
	err := w.app.Add(m.flags, m.date, m.size, w, wait)
	if err == nil {
		return nil
	}
	if w.s.dst.Err() != nil {
		return w.lost(err)
	}
	if _, e := w.WriteTo(io.Discard); e != nil { // refused before the content
		return e
	}
	return w.commit()
}

func (w *writer) lost(err error) error {
	if errors.Is(err, errSource) {
		return err
	}
	return fmt.Errorf("target: %w", err)
}

// commit ends the APPEND and records what it stored.
func (w *writer) commit() error {
	if w.app == nil {
		return nil
	}
	s, batch := w.s, w.pending
	intents := make([]intent, len(batch))
	for i, m := range batch {
		intents[i] = intent{Folder: w.f.SourceRaw, Validity: w.f.validity, UID: m.uid, Size: m.size, Digest: m.digest.String(), Flags: m.flags}
		if !m.date.IsZero() {
			intents[i].Date = m.date.Unix()
		}
	}
	if err := s.st.intend(intents); err != nil {
		return err
	}
	got, err := w.app.Commit()
	w.app, w.pending, w.bytes = nil, nil, 0
	if err != nil {
		if s.dst.Err() != nil {
			return w.lost(err)
		}
		s.st.underWay = nil
		return w.refuse(batch, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if got.UIDs == nil && !s.noUID {
		s.noUID = true
		s.find("the target does not tell the UIDs of new messages: later changes of flags and deletions are not followed")
	}
	if got.UIDValidity != 0 && got.UIDValidity != w.f.state.DstValidity {
		if w.f.state.DstValidity != 0 && s.filled(w.f) > 0 {
			return fmt.Errorf("target: %q: %w", w.f.Target, errRenumbered)
		}
		w.f.state.DstValidity = got.UIDValidity
	}
	next := nextUID(got.UIDs)
	r := s.result(w.f)
	for _, m := range batch {
		dst := next()
		w.f.appended = max(w.f.appended, dst)
		for _, k := range m.flags {
			s.proven[k] = true
		}
		if err := s.st.put(w.f.SourceRaw, m.uid, entry{dst: dst, size: size32(m.size), digest: m.digest, flags: m.flags}); err != nil {
			return err
		}
		r.Copied++
		r.Bytes += m.size
		s.res.Copied++
		s.res.Bytes += m.size
		s.done++
		s.doneBytes += m.size
	}
	s.st.underWay = nil // all of the batch will be in the state with the next save
	s.m.observe(Progress{s.acct.Name, w.f.Source, s.done, s.doneBytes})
	return nil
}

// refuse decides about a batch that the target did not take.
func (w *writer) refuse(batch []*message, err error) error {
	s := w.s
	s.refusal = err
	switch {
	case imapwire.IsCode(err, "OVERQUOTA"):
		return fmt.Errorf("%w: %w", ErrQuota, err)
	case imapwire.IsCode(err, "TRYCREATE", "NONEXISTENT"):
		if e := s.dst.Create(w.ctx, w.f.TargetRaw); e != nil {
			return fmt.Errorf("target: %w", errors.Join(err, e))
		}
	case len(batch) == 1 && w.limit == 1 && !imapwire.Temporary(err):
		kind := ProblemRefused
		if imapwire.IsCode(err, "TOOBIG", "LIMIT") {
			kind = ProblemTooBig
		}
		s.lose(w.f, batch[0].uid, kind, "%v", err)
		return nil
	}
	for _, m := range batch {
		w.refused.Add(m.uid)
	}
	return nil
}

// nextUID walks through the UIDs of an answer; 0 after its end.
func nextUID(uids imapwire.Set) func() uint32 {
	i, off := 0, uint32(0)
	return func() uint32 {
		if i >= len(uids) {
			return 0
		}
		u := uids[i].First + off
		if u == uids[i].Last {
			i, off = i+1, 0
		} else {
			off++
		}
		return u
	}
}
