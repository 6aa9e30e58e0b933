package migrate

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/ictmedia/schoolmail/internal/imapwire"
)

const (
	pieceSize  = 64 << 10
	pieceCount = 16   // between source and target: 1 MiB for each account
	fetchCount = 2000 // messages in one FETCH
)

// maxBatch is the size to which batches grow in big folders. It stays below
// what a run may leave unrecorded (see looseAfterCrash).
const maxBatch = 800

// A batch that has taken less than quickBatch may have moreWhenQuick times the
// bytes: every answer costs a wait for the target, which matters when large messages travel fast.
const (
	quickBatch    = 500 * time.Millisecond
	moreWhenQuick = 16
)

// message is one source message on its way.
type message struct {
	uid     uint32
	flags   []string // clean
	dropped []string // keywords that the target has refused
	date    time.Time
	size    int64
	digest  digest // set when all pieces have been read
}

// piece is what flows from the source's goroutine to the target's: a message,
// then its content.
type piece struct {
	msg  *message
	data []byte
}

var pieces = sync.Pool{New: func() any { b := make([]byte, pieceSize); return &b }}

func (p piece) release() {
	if p.data != nil {
		b := p.data[:pieceSize]
		pieces.Put(&b)
	}
}

// errSource marks an error of the source while the target was writing.
var errSource = errors.New("source")

// copy brings source messages to the target. Where connections have been lost
// before, messages go one by one; what the target refuses in a batch is tried
// alone afterwards.
func (f *folderRun) copy(ctx context.Context, uids imapwire.Set) error {
	for uid := range uids.All() {
		if why, ok := f.trouble.gaveUp("", opCopy, f.SourceRaw, uid); ok {
			f.led.lose(f.Mapping, uid, ProblemRefused, "a server ends the session at this message: %s", why)
			uids = uids.Without(imapwire.Set{{First: uid, Last: uid}})
		}
	}
	alone, rest := f.trouble.carefulPart("", opCopy, f.SourceRaw, uids)
	if before := rest.Without(rest.From(first(alone))); len(alone) > 0 && len(before) > 0 {
		if err := f.copyPart(ctx, before, f.take.batch); err != nil {
			return err
		}
		rest = rest.Without(before)
	}
	if err := f.copyPart(ctx, alone, 0); err != nil {
		return err
	}
	return f.copyPart(ctx, rest, f.take.batch)
}

func first(uids imapwire.Set) uint32 {
	if len(uids) == 0 {
		return 0
	}
	return uids[0].First
}

// copyPart copies messages in batches; 0 means that each is fetched alone, too.
func (f *folderRun) copyPart(ctx context.Context, uids imapwire.Set, batch int) error {
	var why error
	single := batch == 0
	for attempt := 0; len(uids) > 0 && attempt < 4; attempt++ {
		w := &writer{folderRun: f, limit: max(batch, 1), single: single, wait: single || attempt > 0}
		err := w.copy(ctx, uids)
		if err != nil {
			return err
		}
		uids, why, batch = w.refused, w.refusal, 1
	}
	for uid := range uids.All() {
		f.led.lose(f.Mapping, uid, ProblemRefused, "refused three times: %v", why)
	}
	return nil
}

// writer takes messages from a reader and stores them in batches.
type writer struct {
	*folderRun
	ctx    context.Context
	ch     <-chan piece
	limit  int  // messages in a batch
	single bool // each message is fetched alone, too
	wait   bool // no content is sent before the target asks for it

	app     *imapwire.Appender
	pending []*message
	bytes   int64
	begun   time.Time // of the batch
	left    int64     // of the current message

	stored  uint32 // the last source UID that was stored or refused
	refused imapwire.Set
	refusal error // the last one
}

// copy lets a goroutine read the source ahead while this one writes batches.
func (w *writer) copy(ctx context.Context, uids imapwire.Set) error {
	ctx, cancel := context.WithCancel(ctx)
	ch := make(chan piece, pieceCount)
	w.ctx, w.ch = ctx, ch
	var readErr error
	go func() {
		defer close(ch)
		readErr = w.read(ctx, uids, ch)
	}()
	err := w.run()
	// The reader ends by itself when all has been read, or because nobody
	// reads any more; its connection is lost then.
	cancel()
	for p := range ch {
		p.release()
	}
	if readErr != nil && (err == nil || errors.Is(err, errSource)) {
		err = readErr
	}
	fl, ok := errors.AsType[*failure](err)
	if !ok || fl.at.uid != 0 {
		return err
	}
	fl.at.op, fl.at.folder, fl.at.uid = opCopy, w.SourceRaw, first(uids.From(w.stored+1))
	return fl
}

func (w *writer) run() error {
	defer w.unlock()
	for p := range w.ch {
		if p.msg == nil {
			p.release()
			continue
		}
		if err := w.add(p.msg); err != nil {
			return err
		}
	}
	return w.commit()
}

// unlock gives the connection back after an APPEND.
func (w *writer) unlock() {
	if w.app != nil {
		w.app = nil
		w.dst.used = time.Now()
		w.dst.mu.Unlock()
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

// full reports whether the batch has to end before a message of this size.
func (w *writer) full(size int64) bool {
	limit, bytes := w.limit, w.m.opt.BatchBytes
	if limit > 1 {
		// The target's work for a batch grows with the folder, which a Maildir
		// reads anew after each: batches grow to a tenth of it.
		more := min(max(w.filled()/10, limit), max(limit, maxBatch)) / limit
		limit, bytes = limit*more, bytes*int64(more)
	}
	if w.app != nil && time.Since(w.begun) < quickBatch {
		bytes *= moreWhenQuick
	}
	return len(w.pending) > 0 && (len(w.pending) >= limit || w.bytes+size > bytes)
}

func (w *writer) add(m *message) error {
	if w.full(m.size) {
		if err := w.commit(); err != nil {
			return err
		}
	}
	if w.app == nil {
		w.dst.mu.Lock()
		w.app, w.begun = w.dst.c.Append(w.ctx, w.TargetRaw), time.Now()
	}
	w.pending = append(w.pending, m)
	w.bytes += m.size
	w.left = m.size
	// A keyword that the target has not accepted before is sent ahead of a literal that
	// waits: after a refusal the target would take the content for commands.
	err := w.app.Add(m.flags, m.date, m.size, w, w.wait || len(w.unproven(m)) > 0)
	if err == nil {
		return nil
	}
	if w.dst.lost() {
		return w.lost(err)
	}
	if _, e := w.WriteTo(io.Discard); e != nil { // refused before the content
		return e
	}
	return w.commit()
}

// unproven are the keywords of a message that the target has not accepted before.
func (w *writer) unproven(m *message) (out []string) {
	for _, k := range m.flags {
		if k[0] != '\\' && !w.take.accepted(k) {
			out = append(out, k)
		}
	}
	return out
}

// lost gives the place of an error that has ended the target's connection.
func (w *writer) lost(err error) error {
	if errors.Is(err, errSource) {
		return err
	}
	return &failure{at: w.place(), err: err}
}

// place is where the writer stands: at the first message that is not stored.
func (w *writer) place() place {
	out := place{side: w.dst.side.name, op: opCopy, folder: w.SourceRaw, alone: w.limit == 1}
	if len(w.pending) > 0 {
		out.uid = w.pending[0].uid
	}
	return out
}

// commit ends the APPEND and records what it stored.
func (w *writer) commit() error {
	if w.app == nil {
		return nil
	}
	if err := w.st.intend(w.SourceRaw, w.validity, w.pending); err != nil {
		return err
	}
	got, err := w.app.Commit()
	w.unlock()
	if err != nil && w.dst.lost() {
		return w.lost(err)
	}
	batch := w.pending
	where := w.place()
	w.pending, w.bytes, w.stored = nil, 0, batch[len(batch)-1].uid
	if err != nil {
		w.st.answered(w.SourceRaw)
		return w.refuse(batch, err, where)
	}
	return w.record(batch, got)
}

// record enters a batch that the target has stored.
func (w *writer) record(batch []*message, got imapwire.Appended) error {
	if got.UIDs == nil && w.take.firstWithoutUID() {
		w.led.find("the target does not tell the UIDs of new messages: later changes of flags and deletions are not followed")
	}
	if got.UIDValidity != 0 && got.UIDValidity != w.state.DstValidity {
		if w.state.DstValidity != 0 && w.filled() > 0 {
			return w.dst.at(opFolder, w.TargetRaw, errRenumbered)
		}
		w.state.DstValidity = got.UIDValidity
	}
	next := nextUID(got.UIDs)
	bytes := int64(0)
	for _, m := range batch {
		dst := next()
		w.appended = max(w.appended, dst)
		w.take.accept(m.flags)
		if len(m.dropped) > 0 {
			w.led.warn(w.Mapping, m.uid, ProblemKeyword, "copied without the keywords %q, which the target refuses", m.dropped)
			if len(m.dropped) == 1 {
				w.take.refuse(m.dropped[0])
			}
		}
		bytes += m.size
		if err := w.st.put(w.SourceRaw, m.uid, entry{dst: dst, size: size32(m.size), digest: m.digest,
			flags: m.flags}); err != nil {
			return err
		}
	}
	n := len(batch)
	w.led.count(w.Mapping, func(r *Result, f *FolderResult) {
		r.Copied, f.Copied, r.Bytes, f.Bytes = r.Copied+n, f.Copied+n, r.Bytes+bytes, f.Bytes+bytes
	})
	w.st.answered(w.SourceRaw) // all of the batch will be in the state with the next save
	w.led.progress(w.Mapping, n, bytes)
	return nil
}

// refuse decides about a batch that the target did not take.
func (w *writer) refuse(batch []*message, err error, at place) error {
	w.refusal = err
	alone := w.limit == 1
	switch {
	case imapwire.IsCode(err, "OVERQUOTA"):
		return &failure{at: at, err: errors.Join(ErrQuota, err)}
	case imapwire.IsCode(err, "TRYCREATE", "NONEXISTENT"):
		if e := w.dst.do(opFolder, w.TargetRaw, func(c *imapwire.Client) error {
			return c.Create(w.ctx,
				w.TargetRaw)
		}); e != nil {
			return e
		}
	case judge(err, at, 1).cost > costMessage:
		return &failure{at: at, err: err}
	case alone && len(w.unproven(batch[0])) > 0 && !w.withoutKeywords(batch[0].uid, true):
		// once more, without its keywords
	case alone && !imapwire.Temporary(err):
		kind := ProblemRefused
		if imapwire.IsCode(err, "TOOBIG", "LIMIT") {
			kind = ProblemTooBig
		}
		w.led.lose(w.Mapping, batch[0].uid, kind, "%v", err)
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

// takes is what the target takes.
type takes struct {
	batch int   // messages per APPEND
	limit int64 // largest message, 0 if unlimited

	mu     sync.Mutex
	proven map[string]bool // keywords that it has accepted
	never  map[string]bool // keywords that it has refused
	noUID  bool            // reported: it does not tell UIDs
}

func newTakes(c *imapwire.Client, batch int) *takes {
	t := &takes{batch: batch, proven: map[string]bool{}, never: map[string]bool{}}
	if !c.Has("MULTIAPPEND") {
		t.batch = 1
	}
	t.limit, _ = c.CapabilityValue("APPENDLIMIT")
	return t
}

func (t *takes) accepted(keyword string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.proven[keyword]
}

func (t *takes) accept(flags []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range flags {
		t.proven[k] = true
	}
}

// firstWithoutUID reports that this is the first answer without UIDs.
func (t *takes) firstWithoutUID() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	first := !t.noUID
	t.noUID = true
	return first
}

func (t *takes) refuse(keyword string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.never[keyword] = true
}

// clean are the flags that the target takes, and the keywords it does not.
func (t *takes) clean(flags []string) (clean, bad []string) {
	clean, bad = imapwire.CleanFlags(flags)
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.DeleteFunc(clean, func(k string) bool {
		if t.never[k] {
			bad = append(bad, k)
		}
		return t.never[k]
	}), bad
}
