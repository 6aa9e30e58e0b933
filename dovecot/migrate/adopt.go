package migrate

import (
	"context"
	"fmt"

	"github.com/ictmedia/schoolmail/internal/imapwire"
)

// looseAfterCrash is how many of the next source messages are compared
// loosely with what an interrupted run may have left at the target: at most
// those the state did not know of yet.
const looseAfterCrash = 2 * maxUnsaved

// adopt finds those of the fresh source messages that the target already has:
// from an interrupted run, an earlier conversion by whatever tool, another
// source folder merged into the same target, or a lost state. It pairs them as
// multisets, so that three copies at the source stay three, and returns the
// fresh ones that are left to be copied.
func (f *folderRun) adopt(ctx context.Context, fresh imapwire.Set, ghosts []item) (imapwire.Set, error) {
	_, mine, err := f.st.uids(f.SourceRaw)
	if err != nil {
		return nil, err
	}
	others, err := f.ownedByOthers()
	if err != nil {
		return nil, err
	}
	pool, err := f.pool(ctx, mine, others)
	if err != nil {
		return nil, err
	}
	gone, err := f.tombstones(pool)
	if err != nil {
		return nil, err
	}
	if len(pool) == 0 && len(gone) == 0 {
		return fresh, nil
	}
	r := &recognition{folderRun: f, others: others, gone: gone, first: f.state.DstBound == 0}
	if err := r.run(ctx, fresh, pool, ghosts); err != nil {
		return nil, err
	}
	return fresh.Without(r.done), nil
}

// pool is what is at the target and not accounted for by this source folder.
func (f *folderRun) pool(ctx context.Context, mine, others imapwire.Set) (imapwire.Set, error) {
	ds := f.dst.status[f.TargetRaw]
	// The listing tells that nothing is there which is not accounted for, or it has to be looked at.
	unknown := ds == nil || ds.Messages > 0 && (f.state.DstBound == 0 || ds.UIDNext > f.state.DstBound)
	if !unknown && len(others) == 0 {
		f.seen = max(ds.UIDNext, 1)
		return nil, nil
	}
	if err := f.openTarget(ctx); err != nil {
		return nil, err
	}
	bound := max(f.state.DstBound, 1)
	found, err := f.listed(ctx, ds)
	if err != nil {
		return nil, err
	}
	found = found.From(bound)
	f.seen = 1
	if n := len(found); n > 0 {
		f.seen = found[n-1].Last + 1
	}
	for _, r := range others {
		found.AddRange(r.First, r.Last)
	}
	return found.Without(mine), nil
}

// listed are the UIDs in the open target folder. A target that lists fewer messages than it counts is not
// believed: what is there already would be copied once more.
func (f *folderRun) listed(ctx context.Context, ds *imapwire.Status) (imapwire.Set, error) {
	found, err := f.dst.search(ctx, f.TargetRaw, "ALL")
	if err != nil || ds != nil && found.Len() >= int(ds.Messages) {
		return found, err
	}
	now, err := f.dst.state(ctx, f.TargetRaw) // something may have been deleted since
	if err == nil && (now == nil || found.Len() < int(now.Messages)) {
		err = f.dst.at(opFolder, f.TargetRaw, &imapwire.Error{Op: "SEARCH", Status: "OK",
			Text: fmt.Sprintf("lists %d messages, fewer than the target counts", found.Len())})
	}
	return found, err
}

// tombstones counts, by content, the messages that had been copied before the
// source's UIDVALIDITY changed and are no longer at the target.
func (f *folderRun) tombstones(pool imapwire.Set) (gone map[entryKey]int, err error) {
	gone = map[entryKey]int{}
	err = f.st.each(bucketOld, f.SourceRaw, func(_ uint32, e entry) error {
		if e.dst == 0 || !pool.Contains(e.dst) {
			gone[entryKey{e.size, e.digest}]++
		}
		return nil
	})
	return gone, err
}

// entryKey is a message's content.
type entryKey struct {
	size   uint32
	digest digest
}
