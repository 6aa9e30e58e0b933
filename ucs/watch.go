package ucs

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/ictmedia/schoolmail/internal/retry"
)

// ChangeKind says what happened to an entry of the directory.
type ChangeKind string

// The kinds of changes.
const (
	// EntryChanged: an account or group was made, changed or moved.
	EntryChanged ChangeKind = "changed"
	EntryRemoved ChangeKind = "removed"
	// EverythingChanged: it is not known what happened since the position before.
	// Whoever follows single entries has to read the directory once.
	EverythingChanged ChangeKind = "everything"
)

// Position is a place in the directory's history, to go on from later. It is
// made by [Client.Watch]; "" is now.
type Position string

// Change is something that happened to an account or a group.
type Change struct {
	Kind     ChangeKind
	Position Position // behind this change
	DN       string
	OldDN    string // before it was moved or renamed; else ""
	Username string // of an account, lower case; "": a group
}

// WatchOptions of [Client.Watch]. nil and the zero value work.
type WatchOptions struct {
	// Notifier is the address of Univention's directory notifier, "primary:6669".
	// It is neither encrypted nor authenticated, and tells numbers only; what
	// they mean is read by LDAP. Empty: the directory is polled, which sees
	// everything as well, a little later and at the cost of a read each time.
	Notifier string
	// Interval is the time between two polls; 0 means 30 seconds.
	Interval time.Duration
	// Silence is how long the notifier may be silent before it is asked whether
	// it is there; 0 means a minute.
	Silence time.Duration
	// After is where to go on; "": now. A position of the notifier says nothing to
	// a poll and the other way round: then everything counts as changed.
	After Position
}

// Watch follows the changes of accounts and groups, for ever: until the context
// ends, the caller breaks off, or something fails, of which it yields one error
// and ends. Who starts it again with the position of the last change misses
// nothing.
//
// A change says that something is different, not what: several may come for one,
// or one for several, and an entry may have changed once more when it is read. A
// change of a class or its members is a change of the group; nothing is said about
// its members.
//
// Over the notifier changes come within a second. It needs an account that may
// read cn=translog on the primary.
func (c *Client) Watch(ctx context.Context, opts *WatchOptions) iter.Seq2[Change, error] {
	var o WatchOptions
	if opts != nil {
		o = *opts
	}
	if o.Interval <= 0 {
		o.Interval = 30 * time.Second
	}
	if o.Silence <= 0 {
		o.Silence = time.Minute
	}
	return func(yield func(Change, error) bool) {
		w := &watcher{c: c, opts: o, yield: yield, names: map[string]string{}}
		d, err := c.load(ctx)
		if err == nil {
			w.d = d
			if o.Notifier != "" {
				err = w.follow(ctx)
			} else {
				err = w.poll(ctx)
			}
		}
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if err != nil && err != errEnough {
			yield(Change{}, wrap("watch", "", err))
		}
	}
}

// errEnough ends a watch that the caller has broken off.
var errEnough = fmt.Errorf("enough")

type watcher struct {
	c     *Client
	d     *domain
	opts  WatchOptions
	yield func(Change, error) bool
	names map[string]string // normalised DN of an account to its user name: what is removed cannot be read
}

func (w *watcher) tell(ch Change) error {
	if !w.yield(ch, nil) {
		return errEnough
	}
	return nil
}

// follow waits for the notifier, and reads what its numbers mean.
func (w *watcher) follow(ctx context.Context) error {
	n, err := dialNotifier(ctx, w.c.opts.Dial, w.opts.Notifier, w.opts.Silence)
	if err != nil {
		return &Error{Kind: ErrUnavailable, Err: fmt.Errorf("notifier: %w", err)}
	}
	defer n.close()
	last, err := w.begin(ctx, n)
	if err != nil {
		return err
	}
	for {
		newest, err := n.wait(ctx, last+1)
		if err != nil {
			return &Error{Kind: ErrUnavailable, Err: fmt.Errorf("notifier: %w", err)}
		}
		for last < newest {
			if last, err = w.step(ctx, last+1, newest); err != nil {
				return err
			}
		}
	}
}

// begin finds out where to start, and remembers who is there.
func (w *watcher) begin(ctx context.Context, n *notifier) (int64, error) {
	newest, err := n.id(ctx)
	if err != nil {
		return 0, &Error{Kind: ErrUnavailable, Err: fmt.Errorf("notifier: %w", err)}
	}
	q := query{w.d.base, ldap.ScopeWholeSubtree, "(uid=*)", []string{"uid"}}
	err = w.c.scan(ctx, q, func(e *entry) bool {
		w.names[strings.Clone(normDN(e.dn))] = strings.Clone(strings.ToLower(e.value("uid")))
		return true
	})
	if err != nil || w.opts.After == "" {
		return newest, err
	}
	from, ok := strings.CutPrefix(string(w.opts.After), "notifier:")
	last, err := strconv.ParseInt(from, 10, 64)
	if !ok || err != nil || last > newest {
		// Another source, or a log that has begun anew.
		return newest, w.tell(Change{Kind: EverythingChanged, Position: at(newest)})
	}
	return last, nil
}

func at(id int64) Position { return Position("notifier:" + strconv.FormatInt(id, 10)) }

// step reads one number, and the one that belongs to it if somebody was moved. It
// returns the last one that it has read.
func (w *watcher) step(ctx context.Context, id, newest int64) (int64, error) {
	e, err := w.record(ctx, id)
	if err != nil {
		return 0, err
	}
	if e == nil { // the log has been shortened
		return newest, w.tell(Change{Kind: EverythingChanged, Position: at(newest)})
	}
	dn, what := e.value("reqDN"), e.value("reqType")
	n := normDN(dn)
	switch {
	case !below(n, normDN(w.d.base)) && n != normDN(w.d.base), below(n, "cn=temporary,cn=univention,"+normDN(w.d.base)):
		return id, nil
	case strings.HasPrefix(what, "d"):
		return id, w.removed(dn, at(id))
	case !strings.HasPrefix(what, "r"):
		return id, w.changed(ctx, dn, "", at(id))
	}
	// A move has two numbers: the old name with r, the new one with a. Without the
	// second it was a removal.
	next, err := w.record(ctx, id+1)
	if err != nil {
		return 0, err
	}
	for wait := 20 * time.Millisecond; next == nil && wait < time.Second; wait *= 2 {
		if err := retry.Sleep(ctx, wait); err != nil {
			return 0, err
		}
		if next, err = w.record(ctx, id+1); err != nil {
			return 0, err
		}
	}
	if next == nil || !strings.HasPrefix(next.value("reqType"), "a") {
		return id, w.removed(dn, at(id))
	}
	return id + 1, w.changed(ctx, next.value("reqDN"), dn, at(id+1))
}

// record reads what a number means; nil: it is not in the log.
func (w *watcher) record(ctx context.Context, id int64) (*entry, error) {
	return w.c.get(ctx, "reqSession="+strconv.FormatInt(id, 10)+",cn=translog", "reqDN", "reqType")
}

// changed tells of an entry if it is an account or a group.
func (w *watcher) changed(ctx context.Context, dn, old string, p Position) error {
	e, err := w.c.get(ctx, dn, "objectClass", "uid")
	if err != nil {
		return err
	}
	if e == nil { // removed or moved on since: another number says so
		return nil
	}
	ch := Change{Kind: EntryChanged, Position: p, DN: e.dn, OldDN: old}
	switch {
	case e.value("uid") != "":
		ch.Username = strings.ToLower(e.value("uid"))
		if old != "" {
			delete(w.names, normDN(old))
		}
		w.names[normDN(dn)] = ch.Username
	case !e.has("objectClass", "posixGroup"):
		return nil
	}
	return w.tell(ch)
}

// removed tells of an entry that is gone.
func (w *watcher) removed(dn string, p Position) error {
	n := normDN(dn)
	name, ok := w.names[n]
	delete(w.names, n)
	if !ok && !strings.Contains(n, ",cn=groups,") {
		return nil
	}
	return w.tell(Change{Kind: EntryRemoved, Position: p, DN: dn, Username: name})
}
