package migrate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ictmedia/schoolmail/internal/imapwire"
)

// peer is one side of one account: a connection that is logged in, and what
// it has listed. The wire serves one command at a time, and a keeper sends
// NOOP while the other side works, so that it is locked for each.
type peer struct {
	side    *side
	c       *imapwire.Client
	view    View
	status  map[string]*imapwire.Status
	kind    digestKind
	flags   *flagTable
	trouble *trouble
	mapped  func(flags []string) []string // what the source's flags are called at the target; nil leaves them

	mu       sync.Mutex
	used     time.Time
	selected string // the folder that is open
	validity uint32 // of it
}

// connect logs in and lists the folders.
func (d *side) connect(ctx context.Context, l Login, flags *flagTable, t *trouble) (*peer, error) {
	c, err := d.login(ctx, l)
	if err != nil {
		return nil, err
	}
	p := &peer{side: d, c: c, flags: flags, trouble: t, used: time.Now()}
	if err := p.list(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return p, nil
}

// twin is another connection of the same account, which knows what the first has listed.
func (p *peer) twin(c *imapwire.Client) *peer {
	return &peer{side: p.side, c: c, view: p.view, status: p.status, kind: p.kind, flags: p.flags, trouble: p.trouble,
		mapped: p.mapped, used: time.Now()}
}

// list reads namespaces and folders.
func (p *peer) list(ctx context.Context) error {
	ns, err := p.c.Namespace(ctx)
	if err != nil {
		return p.at("list", "", err)
	}
	boxes, err := p.states(ctx)
	if err != nil {
		return err
	}
	p.view = newView(ns, boxes)
	for _, f := range p.view.Folders {
		if f.Raw == "INBOX" {
			return nil
		}
	}
	return p.at("list", "", ErrNoMailbox)
}

// states lists the folders with their states, which it notes.
func (p *peer) states(ctx context.Context) (boxes []imapwire.Mailbox, err error) {
	if err = p.do("list", "", func(c *imapwire.Client) (err error) {
		boxes, err = c.List(ctx, true)
		return err
	}); err != nil {
		return nil, err
	}
	p.status = map[string]*imapwire.Status{}
	for i := range boxes {
		if imapwire.InboxName(boxes[i].Name) {
			boxes[i].Name = "INBOX"
		}
		if boxes[i].Status != nil {
			p.status[boxes[i].Name] = boxes[i].Status
		}
	}
	return boxes, nil
}

func (p *peer) close() {
	if p != nil {
		p.c.Close()
	}
}

// lost reports that the connection cannot be used any more.
func (p *peer) lost() bool { return p.c.Err() != nil }

func (p *peer) at(op, folder string, err error) error {
	return at(place{side: p.side.name, op: op, folder: folder}, err)
}

// do runs commands while nobody else does.
func (p *peer) do(op, folder string, f func(c *imapwire.Client) error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := f(p.c)
	p.used = time.Now()
	return p.at(op, folder, err)
}

// keep sends NOOP when the connection has been idle for a while: servers and
// what stands in front of them close idle ones. It ends with the context.
func (p *peer) keep(ctx context.Context, every time.Duration) {
	for wait(ctx, every/2) == nil {
		if !p.mu.TryLock() {
			continue
		}
		if time.Since(p.used) >= every/2 && p.c.Err() == nil {
			p.c.Noop(ctx) // a lost connection shows with the next command
			p.used = time.Now()
		}
		p.mu.Unlock()
	}
}

// open selects a folder, or lets the server say what is new in it if it is open.
func (p *peer) open(ctx context.Context, raw string, readOnly bool) (sel *imapwire.Selected, err error) {
	err = p.do(opFolder, raw, func(c *imapwire.Client) error {
		p.selected = ""
		if sel, err = c.Select(ctx, raw, readOnly); err == nil {
			p.selected, p.validity = raw, sel.UIDValidity
		}
		return err
	})
	return sel, err
}

// openAll opens a folder read-only and asks for all of its UIDs in one go, unless it is empty.
func (p *peer) openAll(ctx context.Context, raw string) (sel *imapwire.Selected, all imapwire.Set, err error) {
	if st := p.status[raw]; st != nil && st.Messages == 0 {
		if sel, err = p.open(ctx, raw, true); err == nil && sel.Messages > 0 {
			all, err = p.search(ctx, raw, "ALL")
		}
		return sel, all, err
	}
	err = p.do(opFolder, raw, func(c *imapwire.Client) error {
		p.selected = ""
		if sel, all, err = c.SelectAll(ctx, raw, true); err == nil {
			p.selected, p.validity = raw, sel.UIDValidity
		}
		return err
	})
	return sel, all, err
}

func (p *peer) search(ctx context.Context, raw, criteria string) (found imapwire.Set, err error) {
	err = p.do(opFolder, raw, func(c *imapwire.Client) error {
		found, err = c.Search(ctx, criteria)
		return err
	})
	return found, err
}

// census asks for all UIDs of the folder that has just been opened, until their number is
// what SELECT and STATUS count, three times at most: mail that comes and goes
// meanwhile makes them differ. st is nil where the server refuses STATUS.
func (p *peer) census(ctx context.Context, raw string, sel *imapwire.Selected, live imapwire.Set) (
	_ *imapwire.Selected, _ imapwire.Set, st *imapwire.Status, err error) {
	st = p.status[raw]
	for attempt := 1; ; attempt++ {
		if st == nil || st.Messages != sel.Messages {
			if st, err = p.state(ctx, raw); err != nil {
				return sel, nil, nil, err
			}
		}
		if contradiction(sel, st, live.Len()) == "" || attempt == 3 {
			return sel, live, st, nil
		}
		if sel, live, err = p.openAll(ctx, raw); err != nil {
			return sel, nil, nil, err
		}
		st = nil
	}
}

// state asks for STATUS; nil if the server refuses it.
func (p *peer) state(ctx context.Context, raw string) (st *imapwire.Status, err error) {
	err = p.do(opFolder, raw, func(c *imapwire.Client) error {
		st, err = c.Status(ctx, raw)
		return err
	})
	if err != nil && !p.lost() {
		return nil, nil
	}
	return st, err
}

// contradiction says in which way a folder's counts differ, "" if they agree.
func contradiction(sel *imapwire.Selected, st *imapwire.Status, listed int) string {
	if int(sel.Messages) == listed && (st == nil || st.Messages == sel.Messages) {
		return ""
	}
	counted := "nothing"
	if st != nil {
		counted = fmt.Sprint(st.Messages)
	}
	return fmt.Sprintf("SELECT counts %d messages, STATUS %s, SEARCH lists %d", sel.Messages, counted, listed)
}

// fetch runs FETCH for messages of the open folder, in parts.
func (p *peer) fetch(ctx context.Context, uids imapwire.Set, items string,
	f func(m *imapwire.Message, body io.Reader, size int64) error) error {
	for _, part := range uids.Chunks(fetchCount) {
		if err := p.do(opFolder, p.selected, func(c *imapwire.Client) error {
			return c.Fetch(ctx, part, items, "",
				f)
		}); err != nil {
			return err
		}
	}
	return nil
}

const basicItems = "FLAGS INTERNALDATE RFC822.SIZE"

// metaItems are the items of a FETCH that tells all but the content.
func (p *peer) metaItems() string {
	if p.tellsDigests() {
		return basicItems + " DIGEST.SHA1"
	}
	return basicItems
}

// tellsDigests reports that digests cost no download.
func (p *peer) tellsDigests() bool {
	return p.side.name == "source" && p.kind == kindSHA1 && p.c.Has("DIGEST=SHA1")
}

// items are messages of the open folder without their content, by ascending
// UID, each once however often the server tells it. Those of which it refuses to tell are left out.
func (p *peer) items(ctx context.Context, uids imapwire.Set) ([]item, error) {
	out := make([]item, 0, uids.Len())
	take := func(m *imapwire.Message, _ io.Reader, _ int64) error {
		if !uids.Contains(m.UID) {
			return nil
		}
		i := item{uid: m.UID, size: size32(m.Size), flags: p.flags.number(p.called(m.Flags))}
		if m.HasDate {
			i.date = m.Date.Unix()
		}
		i.digest, _ = parseDigest(m.SHA1)
		out = append(out, i)
		return nil
	}
	for _, part := range uids.Chunks(fetchCount) {
		if err := p.apart(part, func() imapwire.Set { return part.Without(uidsIn(out)) }, func(uids imapwire.Set) error {
			return p.fetch(ctx, uids, p.metaItems(), take)
		}); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(out, func(a, b item) int { return cmp.Compare(a.uid, b.uid) })
	return slices.CompactFunc(out, func(a, b item) bool { return a.uid == b.uid }), nil
}

// called are flags under the names that the target knows.
func (p *peer) called(flags []string) []string {
	if p.mapped == nil {
		return flags
	}
	return p.mapped(flags)
}

// bothDigests are the two digests of a message, zero if its content could not be had.
type bothDigests struct{ exact, loose digest }

// digestPlace is a folder of which digests are remembered over the attempts.
type digestPlace struct {
	side, folder string
	validity     uint32
}

// hash reads the content of the wanted items of the open folder and gives both digests of each
// to set. What an earlier attempt has read is not read again. A message at which
// the server ends the session twice is left out.
func (p *peer) hash(ctx context.Context, items []item, want func(i int) bool, set func(i int, d bothDigests)) error {
	cache := p.remembered()
	var uids imapwire.Set
	place := map[uint32]int{}
	for i := range items {
		if !want(i) {
			continue
		}
		uid := items[i].uid
		if d, ok := cache[uid]; ok {
			set(i, d)
		} else if _, given := p.trouble.gaveUp(p.side.name, opMessages, p.selected, uid); !given {
			uids.Add(uid)
			place[uid] = i
		}
	}
	alone, together := p.trouble.carefulPart(p.side.name, opMessages, p.selected, uids)
	parts := append(alone.Chunks(1), together.Chunks(fetchCount)...)
	read := func(part imapwire.Set) (left imapwire.Set, err error) {
		var got imapwire.Set
		err = p.do("", "", func(c *imapwire.Client) error {
			return c.Fetch(ctx, part, "BODY.PEEK[]", "", func(m *imapwire.Message, body io.Reader, _ int64) error {
				i, ok := place[m.UID]
				if !ok || body == nil || !part.Contains(m.UID) {
					return nil
				}
				exact, loose, err := digestBody(p.kind, body)
				if err != nil {
					return err
				}
				d := bothDigests{exact, loose}
				cache[m.UID] = d
				set(i, d)
				got.Add(m.UID)
				return nil
			})
		})
		if err == nil {
			return nil, nil
		}
		return part.Without(got), &failure{at: p.stopped(part, got), err: errors.Unwrap(err)}
	}
	for _, part := range parts {
		left, err := read(part)
		if err != nil && !p.ends(err) {
			if err = nil; part.Len() > 1 {
				err = p.oneByOne(left, read)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// ends reports whether nothing can be asked on this connection after a failure, or should be.
func (p *peer) ends(err error) bool {
	_, later := throttle(err)
	return later || p.lost()
}

// apart asks for messages together, and one by one for those that are left when the server refuses. What it refuses
// again is left out; when that is one after the other, the refusal stands.
func (p *peer) apart(uids imapwire.Set, left func() imapwire.Set, ask func(uids imapwire.Set) error) error {
	err := ask(uids)
	if _, refused := errors.AsType[*imapwire.Error](err); !refused || p.ends(err) {
		return err
	}
	if uids.Len() == 1 {
		return nil
	}
	return p.oneByOne(left(), func(one imapwire.Set) (imapwire.Set, error) { return nil, ask(one) })
}

// oneByOne asks for messages once more that were refused together; what is refused again stays unread. When
// one after the other is, the whole folder is refused.
func (p *peer) oneByOne(uids imapwire.Set, read func(one imapwire.Set) (left imapwire.Set, err error)) error {
	inARow := 0
	for _, one := range uids.Chunks(1) {
		_, err := read(one)
		switch {
		case err == nil:
			inARow = 0
		case p.ends(err):
			return err
		default:
			if inARow++; inARow == refusedInARow {
				return &failure{at: place{side: p.side.name, op: opFolder, folder: p.selected}, err: errors.Unwrap(err)}
			}
		}
	}
	return nil
}

// refusedInARow is how many messages of a folder a server may refuse one after the other until
// no more are asked for.
const refusedInARow = 20

// stopped is where hashing has ended: at the first message that has not come.
func (p *peer) stopped(part, got imapwire.Set) place {
	out := place{side: p.side.name, op: opMessages, folder: p.selected, alone: part.Len() == 1}
	if left := part.Without(got); len(left) > 0 {
		out.uid = left[0].First
	}
	return out
}

// remembered are the digests known of the open folder.
func (p *peer) remembered() map[uint32]bothDigests {
	return p.trouble.remembered(digestPlace{p.side.name, p.selected, p.validity})
}

// hashExact is hash for those items whose digest is not known and whose size
// is among the given ones.
func (p *peer) hashExact(ctx context.Context, items []item, sizes *sizeSet) error {
	return p.hash(ctx, items, func(i int) bool { return items[i].digest == digest{} && sizes.has(items[i].size) },
		func(i int, d bothDigests) { items[i].digest = d.exact })
}

// hashLoose gives copies of the items with the loose digests of those in an index.
func (p *peer) hashLoose(ctx context.Context, items []item, index []int32) ([]item, error) {
	want, out := make([]bool, len(items)), slices.Clone(items)
	for _, i := range index {
		want[i], out[i].digest = true, digest{}
	}
	return out, p.hash(ctx, items, func(i int) bool { return want[i] },
		func(i int, d bothDigests) { out[i].digest = d.loose })
}

// flagTable gives lists of flags numbers: there are few different ones.
type flagTable struct {
	mu    sync.Mutex
	sets  [][]string
	index map[string]uint32
}

func newFlagTable() *flagTable { return &flagTable{index: map[string]uint32{}} }

func (t *flagTable) number(flags []string) uint32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := strings.Join(flags, " ")
	n, ok := t.index[key]
	if !ok {
		n = uint32(len(t.sets))
		t.index[key], t.sets = n, append(t.sets, flags)
	}
	return n
}

// clean are an item's flags that may be sent to any server.
func (t *flagTable) clean(i *item) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	clean, _ := imapwire.CleanFlags(t.sets[i.flags])
	return clean
}
