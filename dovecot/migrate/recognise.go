package migrate

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/ictmedia/schoolmail/internal/imapwire"
)

// recognition compares fresh source messages with those at the target that
// are not accounted for. The target's are in memory, at 40 bytes each, the source's pass by
// in parts; only those without an equal of the same date are kept until the end.
type recognition struct {
	s      *session
	f      *folderRun
	others imapwire.Set     // target messages that other source folders brought
	gone   map[entryKey]int // see tombstones
	first  bool             // nothing is known of the target folder yet

	theirs []item
	order  []int32 // theirs by digest, date, UID
	next   []int32 // by place in order: where to go on, itself while that one is free
	taken  []bool  // by place in theirs
	done   []uint32
}

const basicItems = "FLAGS INTERNALDATE RFC822.SIZE"

func (r *recognition) run(ctx context.Context, fresh, pool imapwire.Set, ghosts []item) error {
	s := r.s
	if err := r.target(ctx, fresh, pool, ghosts); err != nil {
		return err
	}
	sizes := new(sizeSet)
	for i := range r.theirs {
		sizes.add(r.theirs[i].size)
	}
	for g := range r.gone {
		sizes.add(g.size)
	}
	items := basicItems
	if s.st.acct.Digest == kindSHA1 && s.src.Has("DIGEST=SHA1") {
		items += " DIGEST.SHA1"
	}
	// Equal content and date first, in parts.
	var left []item
	for _, part := range fresh.Chunks(fetchCount) {
		ours, err := s.items(ctx, s.src, part, items)
		if err == nil {
			err = s.hashExact(ctx, s.src, ours, sizes)
		}
		if err != nil {
			return fmt.Errorf("source: %w", err)
		}
		rest, err := r.direct(ctx, ours)
		if err != nil {
			return err
		}
		left = append(left, rest...)
	}
	var ghostsLeft []item
	for i := range ghosts {
		if t, ok := r.take(&ghosts[i]); !ok {
			ghostsLeft = append(ghostsLeft, ghosts[i])
		} else if err := r.ghost(&ghosts[i], t); err != nil {
			return err
		}
	}

	// Then equal content, whatever the date.
	free := slices.DeleteFunc(all(r.theirs), func(i int32) bool { return r.taken[i] })
	theirs := candidates{r.theirs, free, byDigest(r.theirs)}
	pairs, rest, free := pair(candidates{left, all(left), byDigest(left)}, theirs)
	if err := r.record(ctx, left, pairs); err != nil {
		return err
	}
	theirs.index = free
	pairs, _, free = pair(candidates{ghostsLeft, all(ghostsLeft), byDigest(ghostsLeft)}, theirs)
	for _, p := range pairs {
		if err := r.ghost(&ghostsLeft[p.src], p.dst); err != nil {
			return err
		}
	}
	rest, free, err := r.loose(ctx, left, rest, free)
	if err != nil {
		return err
	}
	if n := len(r.done); r.first && n > 0 {
		s.find("%q: %d messages were at the target already and are not copied again", r.f.Source, n)
	}
	if r.first && len(free) > 0 {
		s.find("%q: %d messages at the target are not the source's and stay", r.f.Target, len(free))
	}
	return r.stayDeleted(left, rest)
}

// target reads what is at the target, and the content of those messages that
// have a size that the source has, too.
func (r *recognition) target(ctx context.Context, fresh, pool imapwire.Set, ghosts []item) (err error) {
	if r.theirs, err = r.s.items(ctx, r.s.dst, pool, basicItems); err != nil {
		return fmt.Errorf("target: %w", err)
	}
	if len(r.theirs) > 0 {
		sizes := new(sizeSet)
		for i := range ghosts {
			sizes.add(ghosts[i].size)
		}
		if err := r.s.eachItem(ctx, r.s.src, fresh, "RFC822.SIZE", func(i item) { sizes.add(i.size) }); err != nil {
			return fmt.Errorf("source: %w", err)
		}
		if err := r.s.hashExact(ctx, r.s.dst, r.theirs, sizes); err != nil {
			return fmt.Errorf("target: %w", err)
		}
	}
	r.sort()
	return nil
}

// sort makes theirs ready for take.
func (r *recognition) sort() {
	r.order, r.next, r.taken = all(r.theirs), all(r.theirs), make([]bool, len(r.theirs))
	c := candidates{r.theirs, nil, byDigest(r.theirs)}
	slices.SortFunc(r.order, c.compare)
}

// take finds a message at the target with equal content and date that nobody
// has taken yet, and takes it.
func (r *recognition) take(o *item) (theirs int32, ok bool) {
	if o.digest == (digest{}) {
		return 0, false
	}
	at, _ := slices.BinarySearchFunc(r.order, o, func(i int32, o *item) int {
		t := &r.theirs[i]
		return cmp.Or(bytes.Compare(t.digest[:], o.digest[:]), cmp.Compare(t.date, o.date), 1) // the first of its like
	})
	k := int32(at)
	for int(k) < len(r.order) && r.next[k] != k { // taken: go on, and remember how far
		if n := r.next[k]; int(n) < len(r.order) {
			r.next[k] = r.next[n]
		}
		k = r.next[k]
	}
	if int(k) == len(r.order) {
		return 0, false
	}
	i := r.order[k]
	if r.theirs[i].digest != o.digest || r.theirs[i].date != o.date {
		return 0, false
	}
	r.next[k], r.taken[i] = k+1, true
	return i, true
}

// ghost records a message that an interrupted run of ours stored and the
// source has deleted since, so that the deletion is followed.
func (r *recognition) ghost(g *item, theirs int32) error {
	r.f.gone.Add(g.uid)
	return r.s.st.put(r.f.SourceRaw, g.uid, entry{dst: r.theirs[theirs].uid, size: g.size, digest: g.digest})
}

// direct pairs a part of the source's messages and returns the others.
func (r *recognition) direct(ctx context.Context, ours []item) (rest []item, err error) {
	var pairs []pairing
	for i := range ours {
		if t, ok := r.take(&ours[i]); ok {
			pairs = append(pairs, pairing{int32(i), t})
		} else {
			rest = append(rest, ours[i])
		}
	}
	return rest, r.record(ctx, ours, pairs)
}

// loose finds what another tool or the target itself has changed on the way.
// It is looked for in a folder that is compared for the first time, and, after
// an interrupted run, among so many messages as that may have stored.
func (r *recognition) loose(ctx context.Context, ours []item, left, free []int32) (restOurs, restTheirs []int32, err error) {
	look := left
	switch {
	case r.first:
	case r.s.resumed:
		look = left[:min(len(left), looseAfterCrash)]
	default:
		return left, free, nil
	}
	if len(look) == 0 || len(free) == 0 {
		return left, free, nil
	}
	theirKeys, err := r.s.hashLoose(ctx, r.s.dst, r.theirs, free)
	if err != nil {
		return nil, nil, fmt.Errorf("target: %w", err)
	}
	ourKeys, err := r.s.hashLoose(ctx, r.s.src, ours, look)
	if err != nil {
		return nil, nil, fmt.Errorf("source: %w", err)
	}
	pairs, _, free := pair(candidates{ours, look, func(i int32) *digest { return &ourKeys[i] }},
		candidates{r.theirs, free, func(i int32) *digest { return &theirKeys[i] }})
	if len(pairs) > 0 && r.first {
		r.s.find("%q: %d messages at the target are the source's but not byte for byte (an earlier tool or the server changed them)", r.f.Source, len(pairs))
	}
	found := make([]bool, len(ours))
	for _, p := range pairs {
		found[p.src] = true
	}
	left = slices.DeleteFunc(slices.Clone(left), func(i int32) bool { return found[i] })
	return left, free, r.record(ctx, ours, pairs)
}

// stayDeleted keeps what the user had deleted at the target before the
// source's UIDs changed from coming back.
func (r *recognition) stayDeleted(ours []item, left []int32) error {
	for _, i := range left {
		o := &ours[i]
		k := entryKey{o.size, o.digest}
		if o.digest == (digest{}) || r.gone[k] == 0 {
			continue
		}
		r.gone[k]--
		if err := r.s.st.put(r.f.SourceRaw, o.uid, entry{size: o.size, digest: o.digest, flags: r.s.cleanFlags(o)}); err != nil {
			return err
		}
		r.done = append(r.done, o.uid)
	}
	return nil
}

// record writes the pairs into the state and brings the flags over: exactly for messages that an
// interrupted run of ours has left, else what is missing is added, so that
// what the user did at the target meanwhile stays.
func (r *recognition) record(ctx context.Context, ours []item, pairs []pairing) error {
	s, f := r.s, r.f
	if len(pairs) == 0 {
		return nil
	}
	changes := map[string]*imapwire.Set{}
	for _, p := range pairs {
		t := &r.theirs[p.dst]
		add, remove := flagChanges(s.cleanFlags(t), s.cleanFlags(&ours[p.src]))
		if !(s.resumed && f.state.DstBound > 0 && t.uid >= f.state.DstBound && !r.others.Contains(t.uid)) {
			remove = nil
		}
		collect(changes, t.uid, add, remove)
	}
	if err := s.storeFlags(ctx, f, changes); err != nil {
		return err
	}
	for _, p := range pairs {
		o := &ours[p.src]
		if err := s.st.put(f.SourceRaw, o.uid, entry{dst: r.theirs[p.dst].uid, size: o.size, digest: o.digest, flags: s.cleanFlags(o)}); err != nil {
			return err
		}
		r.done = append(r.done, o.uid)
	}
	s.result(f).Adopted += len(pairs)
	s.res.Adopted += len(pairs)
	s.done += len(pairs)
	s.m.observe(Progress{s.acct.Name, f.Source, s.done, s.doneBytes})
	return nil
}
