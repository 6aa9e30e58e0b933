package migrate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ictmedia/schoolmail/internal/imapwire"
)

// VerifyOptions of [Migrator.Verify]. The zero value compares everything.
type VerifyOptions struct {
	// Sample is the share of messages whose content is compared, 0 and 1 mean all.
	// Of the others, size and date are compared. A Cyrus source tells its digests
	// without a download, so that all costs no more there than reading the target.
	Sample float64
	// MaxDifferences limits the list for each folder, 0 means 1,000. The counts stay exact.
	MaxDifferences int
}

// Difference between the two sides, by UID.
type Difference struct {
	Folder string `json:"folder"` // readable, at the source
	UID    uint32 `json:"uid"`    // at the source, 0 if the whole folder
	Target uint32 `json:"targetUid,omitempty"`
	Kind   string `json:"kind"` // see the Difference constants
	Text   string `json:"text,omitempty"`
}

// Kinds of differences. Only DifferenceMissing makes a certificate incomplete.
const (
	DifferenceMissing = "missing"           // at the source and not at the target
	DifferenceRemoved = "removed at target" // was there at the cut-over; its user has removed or moved it since
	DifferenceContent = "content"           // the same message, not byte for byte
	DifferenceFlags   = "flags"
	DifferenceDate    = "date"
)

// FolderCertificate is the comparison of one target folder with what feeds it.
type FolderCertificate struct {
	Target         string   `json:"target"`
	Sources        []string `json:"sources"`
	SourceMessages int      `json:"sourceMessages"`
	SourceBytes    int64    `json:"sourceBytes"`
	TargetMessages int      `json:"targetMessages"`
	TargetBytes    int64    `json:"targetBytes"`
	Equal          int      `json:"equal"`   // source messages found with the same content
	Shared         int      `json:"shared"`  // found once for several source folders
	Digests        int      `json:"digests"` // source messages whose content was compared
	Missing        int      `json:"missing"`
	Removed        int      `json:"removed"`
	Content        int      `json:"content"`
	Flags          int      `json:"flags"`
	Dates          int      `json:"dates"`
	Extra          int      `json:"extra"`                // at the target only: delivered or filed there since
	LeftBehind     int      `json:"leftBehind,omitempty"` // at the source, beyond the limits of age and size
}

// Certificate is the proof for one account: what was compared, and every
// difference.
type Certificate struct {
	Account     string              `json:"account"`
	Time        time.Time           `json:"time"`
	Stage       Stage               `json:"stage"`
	Sample      float64             `json:"sample"`   // share of messages compared by content
	Digest      string              `json:"digest"`   // "sha1" or "sha256"
	Complete    bool                `json:"complete"` // nothing is missing, and the source was at rest
	Folders     []FolderCertificate `json:"folders"`
	Differences []Difference        `json:"differences,omitempty"`
	// Changed are source folders into which mail came while they were being
	// compared. A message that moved between two folders meanwhile may have been seen in
	// neither, so that this is no proof; verify again when the source is at rest.
	Changed []string `json:"changed,omitempty"`
	// Doubtful are the folders whose counts contradict each other, or answers that
	// could not be read: what has been compared may not be all there is.
	Doubtful []string `json:"doubtful,omitempty"`
	Skipped  []string `json:"skipped,omitempty"` // folders that stay behind by rule
	Error    string   `json:"error,omitempty"`   // why there is no comparison
}

// Total sums the folders up.
func (c *Certificate) Total() FolderCertificate {
	var t FolderCertificate
	for _, f := range c.Folders {
		t.add(f)
	}
	return t
}

func (t *FolderCertificate) add(f FolderCertificate) {
	t.SourceMessages += f.SourceMessages
	t.SourceBytes += f.SourceBytes
	t.TargetMessages += f.TargetMessages
	t.TargetBytes += f.TargetBytes
	t.Equal += f.Equal
	t.Shared += f.Shared
	t.Digests += f.Digests
	t.Missing += f.Missing
	t.Removed += f.Removed
	t.Content += f.Content
	t.Flags += f.Flags
	t.Dates += f.Dates
	t.Extra += f.Extra
	t.LeftBehind += f.LeftBehind
}

// Verify reads both sides and compares them: counts, sizes, content, flags and
// dates, as multisets for each folder. It trusts nothing the copy recorded: what the
// target does not have is missing. Only after the cut-over the state explains what was
// there then and its user has removed since. It opens everything read-only.
func (m *Migrator) Verify(ctx context.Context, a Account, opts *VerifyOptions) (*Certificate, error) {
	var opt VerifyOptions
	if opts != nil {
		opt = *opts
	}
	if opt.Sample <= 0 || opt.Sample > 1 {
		opt.Sample = 1
	}
	if opt.MaxDifferences <= 0 {
		opt.MaxDifferences = 1000
	}
	var cert *Certificate
	err := m.look(ctx, a, "verify", func(ctx context.Context, r *accountRun) (err error) {
		v := &verifier{accountRun: r, opt: opt}
		if cert, err = v.run(ctx); err != nil {
			return err
		}
		if cert.Complete && r.st.acct.Stage == CutOver {
			r.st.acct.Stage = Verified
		}
		cert.Stage = r.st.acct.Stage
		return r.st.save(nil)
	})
	if err != nil {
		return nil, err
	}
	return cert, nil
}

// verifier compares one account in one attempt.
type verifier struct {
	*accountRun
	opt      VerifyOptions
	doubtful []string
}

func (v *verifier) doubt(format string, args ...any) {
	v.doubtful = append(v.doubtful, fmt.Sprintf(format, args...))
}

func (v *verifier) run(ctx context.Context) (*Certificate, error) {
	plan := v.plan()
	cert := &Certificate{Account: v.acct.Name, Time: v.m.opt.Now().UTC().Truncate(time.Second), Sample: v.opt.Sample,
		Digest: string(v.st.acct.Digest), Skipped: plan.Skipped}
	var order []string
	byTarget := map[string][]Mapping{}
	for _, mp := range plan.Mappings {
		if byTarget[mp.TargetRaw] == nil {
			order = append(order, mp.TargetRaw)
		}
		byTarget[mp.TargetRaw] = append(byTarget[mp.TargetRaw], mp)
	}
	for _, target := range order {
		c := &comparison{verifier: v, maps: byTarget[target]}
		if err := c.run(ctx); err != nil {
			return nil, failed(v.acct.Name, "verify", c.maps[0].Target, err)
		}
		cert.Folders = append(cert.Folders, c.sum)
		cert.Differences = append(cert.Differences, c.diffs...)
	}
	var err error
	if cert.Changed, err = v.changed(ctx); err != nil {
		return nil, err
	}
	if odd := v.odd(); odd > 0 {
		v.doubt("%d lines of the servers could not be read", odd)
	}
	cert.Doubtful = v.doubtful
	cert.Complete = cert.Total().Missing == 0 && len(cert.Changed) == 0 && len(cert.Doubtful) == 0
	return cert, nil
}

// changed lists the source once more: a folder that is new, or has new UIDs
// since the first listing, has changed.
func (v *verifier) changed(ctx context.Context) ([]string, error) {
	before := v.src.status
	boxes, err := v.src.states(ctx)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, b := range boxes {
		old := before[b.Name]
		if b.Status != nil && (old == nil || old.UIDNext != b.Status.UIDNext || old.UIDValidity != b.Status.UIDValidity) {
			out = append(out, v.src.view.name(b.Name))
		}
	}
	return out, nil
}

// comparison is that of one target folder with the source folders that feed it.
type comparison struct {
	*verifier
	maps   []Mapping
	sum    FolderCertificate
	diffs  []Difference
	theirs []item
	used   []int32 // how many source messages each of theirs is the counterpart of
}

// source opens a source folder read-only and fetches what is compared. It is doubted
// whether that is all, as long as SELECT, STATUS, SEARCH and FETCH do not agree.
func (c *comparison) source(ctx context.Context, mp Mapping) ([]item, error) {
	if why, ok := c.trouble.gaveUp(c.src.side.name, opFolder, mp.SourceRaw, 0); ok {
		c.doubt("%s: the source ends the session at this folder: %s", mp.Source, why)
		return nil, nil
	}
	sel, live, err := c.src.openAll(ctx, mp.SourceRaw)
	if err != nil && !c.src.lost() && ctx.Err() == nil {
		f, ok := errors.AsType[*failure](err)
		if ok && judge(err, f.at, 1).cost == costFolder {
			c.doubt("%s: %v", mp.Source, err)
			return nil, nil
		}
	}
	if err != nil {
		return nil, err
	}
	sel, live, st, err := c.src.census(ctx, mp.SourceRaw, sel, live)
	if err != nil {
		return nil, err
	}
	counts := contradiction(sel, st, live.Len())
	taken, err := c.taken(ctx, c.src, mp, live)
	if err != nil {
		return nil, err
	}
	c.sum.LeftBehind += live.Len() - taken.Len()
	live = taken
	got, err := c.src.items(ctx, live)
	if err == nil && counts == "" && len(got) < live.Len() {
		counts = fmt.Sprintf("SEARCH lists %d messages, FETCH tells %d", live.Len(), len(got))
	}
	if counts != "" {
		c.doubt("%s: %s", mp.Source, counts)
	}
	return got, err
}

// target opens the target folder, which need not be there.
func (c *comparison) target(ctx context.Context) ([]item, error) {
	raw := c.maps[0].TargetRaw
	sel, err := c.dst.open(ctx, raw, true)
	if err != nil && !c.dst.lost() && ctx.Err() == nil {
		if _, later := throttle(err); !later {
			return nil, nil // no such folder: everything is missing
		}
	}
	if err != nil || sel.Messages == 0 {
		return nil, err
	}
	live, err := c.dst.search(ctx, raw, "ALL")
	if err != nil {
		return nil, err
	}
	return c.dst.items(ctx, live)
}

func (c *comparison) run(ctx context.Context) (err error) {
	c.sum.Target = c.maps[0].Target
	if c.theirs, err = c.target(ctx); err != nil {
		return err
	}
	c.sum.TargetMessages = len(c.theirs)
	for i := range c.theirs {
		c.sum.TargetBytes += int64(c.theirs[i].size)
	}
	c.used = make([]int32, len(c.theirs))
	for _, mp := range c.maps {
		c.sum.Sources = append(c.sum.Sources, mp.Source)
		if err := c.one(ctx, mp); err != nil {
			return err
		}
	}
	for _, n := range c.used {
		if n == 0 {
			c.sum.Extra++
		} else {
			c.sum.Shared += int(n) - 1
		}
	}
	// What is missing comes first, should the list be cut.
	slices.SortStableFunc(c.diffs, func(a, b Difference) int { return missingFirst(a) - missingFirst(b) })
	c.diffs = c.diffs[:min(len(c.diffs), c.opt.MaxDifferences)]
	return nil
}

// sampled is a fixed choice that spreads over the folder: the same messages at every verification.
func (c *comparison) sampled(uid uint32) bool {
	return c.opt.Sample >= 1 || float64(uid*2654435761%1000) < c.opt.Sample*1000
}

// one pairs one source folder with the whole target folder: a message that two
// merged folders share is there once for both.
func (c *comparison) one(ctx context.Context, mp Mapping) error {
	ours, err := c.source(ctx, mp)
	if err != nil {
		return err
	}
	if err := c.hash(ctx, ours); err != nil {
		return err
	}
	left, free := all(ours), all(c.theirs)
	keys := []key{byContentAndDate, byContent}
	if c.opt.Sample < 1 {
		keys = append(keys, bySizeAndDate)
	}
	for _, k := range keys {
		index, later := left, []int32(nil)
		if k(&item{digest: digest{1}}, &item{}) == 0 { // only messages whose content is not compared
			index = slices.DeleteFunc(slices.Clone(left), func(i int32) bool { return c.sampled(ours[i].uid) })
			later = slices.DeleteFunc(slices.Clone(left), func(i int32) bool { return !c.sampled(ours[i].uid) })
		}
		var pairs []pairing
		pairs, left, free = merge(ours, c.theirs, index, free, k)
		left = append(left, later...)
		c.sum.Equal += len(pairs)
		for _, p := range pairs {
			c.used[p.dst]++
			c.compare(mp, &ours[p.src], &c.theirs[p.dst])
		}
	}
	slices.Sort(left)
	if left, err = c.changedContent(ctx, mp, ours, left, free); err != nil {
		return err
	}
	return c.missing(mp, ours, left)
}

// hash reads the content of what is sampled, and of what may be equal to it.
func (c *comparison) hash(ctx context.Context, ours []item) error {
	c.sum.SourceMessages += len(ours)
	sizes := new(sizeSet)
	for i := range ours {
		o := &ours[i]
		c.sum.SourceBytes += int64(o.size)
		if c.sampled(o.uid) {
			sizes.add(o.size)
			c.sum.Digests++
		} else {
			o.digest = digest{}
		}
	}
	if err := c.src.hash(ctx, ours, func(i int) bool { return c.sampled(ours[i].uid) && ours[i].digest == digest{} },
		func(i int, d bothDigests) { ours[i].digest = d.exact }); err != nil {
		return err
	}
	return c.dst.hashExact(ctx, c.theirs, sizes)
}

// changedContent pairs what another tool or the target has changed on the way.
func (c *comparison) changedContent(ctx context.Context, mp Mapping, ours []item, left, free []int32) ([]int32, error) {
	if len(left) == 0 || len(free) == 0 {
		return left, nil
	}
	looseOurs, err := c.src.hashLoose(ctx, ours, left)
	if err != nil {
		return nil, err
	}
	looseTheirs, err := c.dst.hashLoose(ctx, c.theirs, free)
	if err != nil {
		return nil, err
	}
	pairs, left, _ := merge(looseOurs, looseTheirs, left, free, byContent)
	for _, p := range pairs {
		o, t := &ours[p.src], &c.theirs[p.dst]
		c.sum.Content++
		c.used[p.dst]++
		c.differ(mp, o.uid, t.uid, DifferenceContent, "%d bytes at the source, %d at the target", o.size, t.size)
	}
	return left, nil
}

// missing reports the source's messages that the target does not have.
func (c *comparison) missing(mp Mapping, ours []item, left []int32) error {
	removed := imapwire.Set{}
	if len(left) > 0 && c.afterCutOver() {
		var err error
		if removed, _, err = c.st.uids(mp.SourceRaw); err != nil {
			return err
		}
		if fs := c.folders[mp.SourceRaw]; fs != nil {
			removed = removed.Without(fs.lost())
		}
	}
	for _, i := range left {
		o := &ours[i]
		kind := DifferenceMissing
		if removed.Contains(o.uid) {
			kind = DifferenceRemoved
			c.sum.Removed++
		} else {
			c.sum.Missing++
		}
		text := fmt.Sprintf("%d bytes of %s", o.size, o.time().Format(time.DateOnly))
		if why, ok := c.trouble.gaveUp(c.src.side.name, opMessages, mp.SourceRaw, o.uid); ok {
			text += ", which the source does not send: " + why
		}
		c.differ(mp, o.uid, 0, kind, "%s", text)
	}
	return nil
}

func (c *comparison) differ(mp Mapping, source, target uint32, kind, format string, args ...any) {
	c.diffs = append(c.diffs, Difference{mp.Source, source, target, kind, fmt.Sprintf(format, args...)})
}

func missingFirst(d Difference) int {
	if d.Kind == DifferenceMissing {
		return 0
	}
	return 1
}

// compare looks at flags and date of a pair.
func (c *comparison) compare(mp Mapping, o, t *item) {
	have, want := c.dst.flags.clean(t), c.src.flags.clean(o)
	if add, remove := flagChanges(have, want); len(add)+len(remove) > 0 {
		c.sum.Flags++
		c.differ(mp, o.uid, t.uid, DifferenceFlags, "source %v, target %v", want, have)
	}
	if o.date != t.date {
		c.sum.Dates++
		c.differ(mp, o.uid, t.uid, DifferenceDate, "source %s, target %s", o.time().Format(time.RFC3339),
			t.time().Format(time.RFC3339))
	}
}
