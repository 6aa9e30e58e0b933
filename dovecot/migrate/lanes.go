package migrate

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/ictmedia/schoolmail/internal/imapwire"
)

// lane is a connection to each side.
type lane struct{ src, dst *peer }

func (l lane) lost() bool { return l.src.lost() || l.dst.lost() }

func (l lane) odd() int { return l.src.c.OddCount + l.dst.c.OddCount }

// An account of many folders costs more for the waits at each than for its mail: it gets
// more lanes while the servers have connections to spare.
const (
	foldersPerLane = 8
	maxLanes       = 4
)

// bring brings all folders over. Those that share a target go one after the other.
func (r *accountRun) bring(ctx context.Context) error {
	var queue [][]*folderRun
	byTarget := map[string]int{}
	for _, f := range r.runs {
		i, ok := byTarget[f.TargetRaw]
		if !ok {
			i = len(queue)
			byTarget[f.TargetRaw], queue = i, append(queue, nil)
		}
		queue[i] = append(queue[i], f)
	}
	var mu sync.Mutex
	stop := false
	next := func() (group []*folderRun) {
		mu.Lock()
		defer mu.Unlock()
		if !stop && len(queue) > 0 {
			group, queue = queue[0], queue[1:]
		}
		return group
	}
	err := r.inLanes(func(l lane, _ int) error {
		for group := next(); group != nil; group = next() {
			for _, f := range group {
				f.lane = l
				err := r.folder(ctx, f)
				f.lane = r.lane // deletions follow there
				if err != nil {
					mu.Lock()
					stop = true
					mu.Unlock()
					return failed(r.acct.Name, opCopy, f.Source, err)
				}
			}
		}
		return nil
	})
	if len(r.spare) > 0 {
		r.led.sort(r.runs)
	}
	return err
}

// inLanes runs work in each lane at the same time. What a lane has begun it ends, even
// when another one fails.
func (r *accountRun) inLanes(work func(l lane, i int) error) error {
	var g errgroup.Group
	for i, l := range append([]lane{r.lane}, r.spare...) {
		g.Go(func() error { return work(l, i) })
	}
	return g.Wait()
}

// createAll makes target folders, parents before their children, and returns each one's refusal.
func (r *accountRun) createAll(ctx context.Context, names []string) ([]error, error) {
	levels := map[int][]int{} // places in names by depth
	for i, n := range names {
		depth := 0
		if sep := r.dst.view.Separator; sep != "" {
			depth = strings.Count(n, sep)
		}
		levels[depth] = append(levels[depth], i)
	}
	errs := make([]error, len(names))
	for _, depth := range slices.Sorted(maps.Keys(levels)) {
		level := levels[depth]
		per := (len(level) + len(r.spare)) / (1 + len(r.spare))
		if err := r.inLanes(func(l lane, i int) error {
			mine := level[min(i*per, len(level)):min((i+1)*per, len(level))]
			part := make([]string, len(mine))
			for k, at := range mine {
				part[k] = names[at]
			}
			return l.dst.do("create folders", "", func(c *imapwire.Client) error {
				got, err := c.CreateAll(ctx, part...)
				for k, e := range got {
					errs[mine[k]] = e
				}
				return err
			})
		}); err != nil {
			return nil, err
		}
	}
	return errs, nil
}

// openSpare connects further lanes, as far as no other account waits for the connections,
// and not after a failure, whose place has to be found. That a server allows fewer
// connections of one user is no failure.
func (r *accountRun) openSpare(ctx context.Context) (release func()) {
	var closers []func()
	release = sync.OnceFunc(func() {
		r.spare = nil
		for _, f := range slices.Backward(closers) {
			f()
		}
	})
	n := min(len(r.runs)/r.m.perLane, maxLanes-1)
	if n == 0 || !r.trouble.none() {
		return release
	}
	kctx, stop := context.WithCancel(ctx)
	var keepers sync.WaitGroup
	closers = append(closers, func() { stop(); keepers.Wait() })
	opened := make(chan lane, n)
	var opening errgroup.Group
	for range n {
		free, ok := tryAcquire(r.m.from, r.m.to)
		if !ok {
			break
		}
		closers = append(closers, func() { releaseAll(free) })
		opening.Go(func() error {
			l, err := r.anotherLane(ctx)
			if err == nil {
				opened <- l
			}
			return err
		})
	}
	if err := opening.Wait(); err != nil {
		r.m.opt.Logger.Info("fewer connections than wished for", "account", r.acct.Name, "error", err)
	}
	close(opened)
	for l := range opened {
		r.spare = append(r.spare, l)
		for _, p := range []*peer{l.src, l.dst} {
			keepers.Go(func() { p.keep(kctx, r.m.opt.KeepAlive) })
		}
		closers = append(closers, func() {
			r.oddInLanes += l.odd()
			l.src.close()
			l.dst.close()
		})
	}
	return release
}

// anotherLane is one that knows what the first has listed.
func (r *accountRun) anotherLane(ctx context.Context) (l lane, err error) {
	open := func(like *peer, login Login) (*peer, error) {
		c, err := like.side.dialed(ctx)
		if err != nil {
			return nil, err
		}
		if err := like.side.authenticate(ctx, c, login); err != nil {
			c.Close()
			return nil, err
		}
		return like.twin(c), nil
	}
	var g errgroup.Group
	g.Go(func() (err error) { l.src, err = open(r.src, r.acct.Source); return err })
	g.Go(func() (err error) { l.dst, err = open(r.dst, r.acct.Target); return err })
	if err = g.Wait(); err == nil && !sameCapabilities(r.dst.c, l.dst.c) {
		err = errors.New("the target offers something else on a second connection")
	}
	if err != nil {
		l.src.close()
		l.dst.close()
	}
	return l, err
}

// sameCapabilities reports whether a connection can do what was decided by another one:
// behind one address there may be several servers.
func sameCapabilities(a, b *imapwire.Client) bool {
	one, other := a.Capabilities(), b.Capabilities()
	slices.Sort(one)
	slices.Sort(other)
	return slices.Equal(one, other)
}
