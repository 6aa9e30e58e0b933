package migrate

import (
	"context"
	"fmt"
	"slices"

	"github.com/ictmedia/schoolmail/internal/imapwire"
)

// recognition compares fresh source messages with those at the target that
// are not accounted for: both listings are sorted and walked side by side, first by
// content and date, then by content alone, then by what is left of a message
// that another tool has changed. Each message takes 40 bytes.
type recognition struct {
	*folderRun
	others imapwire.Set     // target messages that other source folders brought
	gone   map[entryKey]int // see tombstones
	first  bool             // nothing is known of the target folder yet

	ours, theirs []item
	done         imapwire.Set
}

func (r *recognition) run(ctx context.Context, fresh, pool imapwire.Set, ghosts []item) (err error) {
	if err := r.read(ctx, fresh, pool, ghosts); err != nil {
		return err
	}
	left, free := all(r.ours), all(r.theirs)
	wraiths := all(ghosts)
	for _, key := range []key{byContentAndDate, byContent} {
		var pairs []pairing
		pairs, left, free = merge(r.ours, r.theirs, left, free, key)
		if err := r.record(ctx, pairs); err != nil {
			return err
		}
		pairs, wraiths, free = merge(ghosts, r.theirs, wraiths, free, key)
		for _, p := range pairs {
			if err := r.ghost(&ghosts[p.src], &r.theirs[p.dst]); err != nil {
				return err
			}
		}
	}
	left, free, err = r.loose(ctx, left, free)
	if err != nil {
		return err
	}
	if n := r.done.Len(); r.first && n > 0 {
		r.led.find("%q: %d messages were at the target already and are not copied again", r.Source, n)
	}
	if r.first {
		if err := r.strangers(free); err != nil {
			return err
		}
	}
	if err := r.stayDeleted(left); err != nil {
		return err
	}
	return r.untold(ctx, fresh)
}

// untold keeps messages back of which the source has not told: they may be at the target.
func (r *recognition) untold(ctx context.Context, fresh imapwire.Set) error {
	if len(r.ours) == fresh.Len() {
		return nil
	}
	r.unsettled = true
	left := fresh.Without(uidsIn(r.ours))
	live, err := r.src.search(ctx, r.SourceRaw, "ALL")
	if err != nil {
		return err
	}
	for uid := range left.All() {
		r.done.Add(uid)
		if live.Contains(uid) {
			r.led.lose(r.Mapping, uid, ProblemMissing, "the source lists the message and does not tell of it")
		}
	}
	return nil
}

func uidsIn(items []item) (uids imapwire.Set) {
	for i := range items {
		uids.Add(items[i].uid)
	}
	return uids
}

// read lists both sides and reads the content of what has a size that the
// other side has, too.
func (r *recognition) read(ctx context.Context, fresh, pool imapwire.Set, ghosts []item) (err error) {
	if len(pool) > 0 {
		if err := r.openTarget(ctx); err != nil {
			return err
		}
	}
	if r.theirs, err = r.dst.items(ctx, pool); err != nil {
		return err
	}
	if err := r.allTold(ctx, pool); err != nil {
		return err
	}
	if r.ours, err = r.src.items(ctx, fresh); err != nil {
		return err
	}
	here, there := new(sizeSet), new(sizeSet)
	for i := range ghosts {
		here.add(ghosts[i].size)
	}
	for i := range r.ours {
		here.add(r.ours[i].size)
	}
	for i := range r.theirs {
		there.add(r.theirs[i].size)
	}
	for g := range r.gone {
		there.add(g.size)
	}
	if err := r.dst.hashExact(ctx, r.theirs, here); err != nil {
		return err
	}
	unread := 0
	for i := range r.theirs {
		if r.theirs[i].digest == (digest{}) && here.has(r.theirs[i].size) {
			unread++
		}
	}
	if unread > 0 {
		r.led.find("%q: the target does not send %d of its messages; what may be equal to them is copied", r.Target, unread)
	}
	if err := r.src.hashExact(ctx, r.ours, there); err != nil {
		return err
	}
	for i := range r.ours {
		r.unsettled = r.unsettled || r.ours[i].digest == (digest{}) && there.has(r.ours[i].size)
	}
	return nil
}

// allTold makes sure that the target has told of each message, unless it is gone since.
func (r *recognition) allTold(ctx context.Context, pool imapwire.Set) error {
	if len(r.theirs) == pool.Len() {
		return nil
	}
	told := uidsIn(r.theirs)
	there, err := r.dst.search(ctx, r.TargetRaw, "ALL")
	if err != nil {
		return err
	}
	if left := pool.Without(told); left.Without(there).Len() < left.Len() {
		return r.dst.at(opFolder, r.TargetRaw, &imapwire.Error{Op: "FETCH", Status: "OK",
			Text: fmt.Sprintf("without %d messages that the target lists", left.Len()-left.Without(there).Len())})
	}
	return nil
}

// strangers reports what is at the target and is not the source's: of several
// source folders that feed one target, only the last knows.
func (r *recognition) strangers(free []int32) error {
	n := 0
	for _, i := range free {
		if !r.others.Contains(r.theirs[i].uid) {
			n++
		}
	}
	for _, o := range r.runs {
		if o.TargetRaw == r.TargetRaw && o.SourceRaw != r.SourceRaw && o.state.DstBound == 0 {
			return nil // another one is still to come
		}
	}
	if n > 0 {
		r.led.find("%q: %d messages at the target are not the source's and stay", r.Target, n)
	}
	return nil
}

// ghost records a message that an interrupted run of ours stored and the
// source has deleted since, so that the deletion is followed.
func (r *recognition) ghost(g, theirs *item) error {
	r.folderRun.gone.Add(g.uid)
	return r.st.put(r.SourceRaw, g.uid, entry{dst: theirs.uid, size: g.size, digest: g.digest})
}

// loose finds what another tool or the target itself has changed on the way.
// It is looked for in a folder that is compared for the first time, and, after
// an interrupted run, among so many messages as that may have stored.
func (r *recognition) loose(ctx context.Context, left, free []int32) (restOurs, restTheirs []int32, err error) {
	look := left
	switch {
	case r.first:
	case r.resumed:
		look = left[:min(len(left), looseAfterCrash)]
	default:
		return left, free, nil
	}
	if len(look) == 0 || len(free) == 0 {
		return left, free, nil
	}
	theirs, err := r.dst.hashLoose(ctx, r.theirs, free)
	if err != nil {
		return nil, nil, err
	}
	ours, err := r.src.hashLoose(ctx, r.ours, look)
	if err != nil {
		return nil, nil, err
	}
	pairs, rest, free := merge(ours, theirs, look, free, byContent)
	if len(pairs) > 0 && r.first {
		r.led.find("%q: %d messages at the target are the source's but not byte for byte (an earlier tool or the server "+
			"changed them)", r.Source, len(pairs))
	}
	return append(rest, left[len(look):]...), free, r.record(ctx, pairs)
}

// stayDeleted keeps what the user had deleted at the target before the
// source's UIDs changed from coming back.
func (r *recognition) stayDeleted(left []int32) error {
	for _, i := range left {
		o := &r.ours[i]
		k := entryKey{o.size, o.digest}
		if o.digest == (digest{}) || r.gone[k] == 0 {
			continue
		}
		r.gone[k]--
		if err := r.st.put(r.SourceRaw, o.uid, entry{size: o.size, digest: o.digest,
			flags: r.src.flags.clean(o)}); err != nil {
			return err
		}
		r.done.Add(o.uid)
	}
	return nil
}

// record writes the pairs into the state and brings the flags over: exactly for messages that an
// interrupted run of ours has left, else what is missing is added, so that
// what the user did at the target meanwhile stays. Flags that an interrupted run was changing are
// taken for its own, not for the user's.
func (r *recognition) record(ctx context.Context, pairs []pairing) error {
	if len(pairs) == 0 {
		return nil
	}
	changes := flagChangesByKind{}
	var intents []intent
	doubt := r.doubtfulAt()
	for _, p := range pairs {
		o, t := &r.ours[p.src], &r.theirs[p.dst]
		add, remove := flagChanges(r.dst.flags.clean(t), r.src.flags.clean(o))
		if !(r.resumed && r.state.DstBound > 0 && t.uid >= r.state.DstBound && !r.others.Contains(t.uid)) {
			remove = slices.DeleteFunc(remove, func(f string) bool { return !hasFlag(doubt[t.uid], f) })
		}
		if len(add)+len(remove) > 0 {
			changes.put(t.uid, add, remove)
			intents = append(intents, r.change(o.uid, t.uid, add, remove))
		}
	}
	if err := r.storeNoted(ctx, changes, intents, func() error {
		for _, p := range pairs {
			o := &r.ours[p.src]
			if err := r.st.put(r.SourceRaw, o.uid, entry{dst: r.theirs[p.dst].uid, size: o.size, digest: o.digest,
				flags: r.src.flags.clean(o)}); err != nil {
				return err
			}
			r.done.Add(o.uid)
		}
		return nil
	}); err != nil {
		return err
	}
	n := len(pairs)
	r.led.count(r.Mapping, func(res *Result, f *FolderResult) { res.Adopted, f.Adopted = res.Adopted+n, f.Adopted+n })
	r.led.progress(r.Mapping, n, 0)
	return nil
}
