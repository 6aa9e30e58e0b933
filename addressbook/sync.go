package addressbook

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/ictmedia/schoolmail"
)

// Options change how [Sync] works. The zero value works.
type Options struct {
	// DryRun only plans.
	DryRun bool
	// Parallel is how many contexts are worked on at a time; 0 means all.
	Parallel int
	// ImportFrom is the number of people from which a new, empty book is
	// filled by CSV import instead of by batches. 0 means 200, -1 never.
	ImportFrom int
	// Rounds is how often a context is looked at again after writing, until
	// nothing is left to do. 0 means 4.
	Rounds int
	// Observer is told of the progress; nil: nobody. It is called from several
	// goroutines, one call at a time.
	Observer Observer
}

// Observer is told how a sync goes on.
type Observer interface{ Observe(Event) }

// ObserverFunc is a function as an [Observer].
type ObserverFunc func(Event)

// Observe calls f.
func (f ObserverFunc) Observe(e Event) { f(e) }

func (o *Options) orDefault() Options {
	var c Options
	if o != nil {
		c = *o
	}
	if c.ImportFrom == 0 {
		c.ImportFrom = 200
	}
	if c.Rounds == 0 {
		c.Rounds = 4
	}
	return c
}

// Event is something that happened during a sync.
type Event struct {
	Context schoolmail.ContextID
	Stage   Stage
	Done    int    // operations finished in this round
	Total   int    // operations of this round
	Counts  Counts // Planned: what is to do; Finished: what was done
	Err     error  // Repeating: why; Finished: why it did not end well
}

// Stage is the kind of an [Event].
type Stage string

// The stages of a context, in this order; Repeating leads back to Planned.
const (
	Loading   Stage = "loading"
	Planned   Stage = "planned"
	Working   Stage = "working"
	Repeating Stage = "repeating"
	Finished  Stage = "finished"
)

// Report tells what a sync found and did.
type Report struct {
	Contexts []ContextReport // sorted by context
	Findings []Finding       // of [Build]
}

// ContextReport is the report of one context.
type ContextReport struct {
	Plan   Plan   // what was to do at the beginning, with the findings
	Done   Counts // what was done; in a dry run nothing
	Rounds int    // how often something was written
	Failed int    // operations that the server refused, all rounds together
	Err    error  // why the context is not as it shall be; nil: it is (or it was a dry run)
}

// Done is the sum over all contexts.
func (r Report) Done() Counts {
	var c Counts
	for _, x := range r.Contexts {
		c = c.Add(x.Done)
	}
	return c
}

// Err joins the errors of all contexts.
func (r Report) Err() error {
	var errs []error
	for _, c := range r.Contexts {
		if c.Err != nil {
			errs = append(errs, c.Err)
		}
	}
	return errors.Join(errs...)
}

// Sync brings the contexts for which there is a store to what is desired. It
// can be interrupted at any point and started again: what is left to do is
// found by looking. Contexts do not disturb each other; see [Report.Err].
//
// A desired context without a store is left out and reported as an error of
// that context. A store whose context is not desired loses its books.
func Sync(ctx context.Context, rules Rules, want Desired, stores map[schoolmail.ContextID]Store,
	today schoolmail.Date, opts *Options) (Report, error) {
	if err := rules.Validate(); err != nil {
		return Report{}, err
	}
	if len(want.Contexts) == 0 && len(stores) > 0 && rules.maxGonePercent() < 100 {
		return Report{Findings: want.Findings}, ErrNobody
	}
	o := opts.orDefault()
	var mu sync.Mutex
	emit := func(e Event) {
		if o.Observer != nil {
			mu.Lock()
			defer mu.Unlock()
			o.Observer.Observe(e)
		}
	}
	books := map[schoolmail.ContextID]ContextBooks{}
	for id := range stores {
		books[id] = ContextBooks{Context: id}
	}
	for _, c := range want.Contexts {
		books[c.Context] = c
	}
	ids := slices.Sorted(maps.Keys(books))
	report := Report{Contexts: make([]ContextReport, len(ids)), Findings: want.Findings}
	var group errgroup.Group
	if o.Parallel > 0 {
		group.SetLimit(o.Parallel)
	}
	for i, id := range ids {
		group.Go(func() error {
			r := &report.Contexts[i]
			r.Plan.Context = id
			if store := stores[id]; store == nil {
				r.Err = fmt.Errorf("addressbook: context %d: no access given", id)
			} else {
				w := &worker{rules: rules, want: books[id], store: store, today: today, opts: o, emit: emit, report: r}
				r.Err = w.run(ctx)
			}
			emit(Event{Context: id, Stage: Finished, Counts: r.Done, Err: r.Err})
			return nil
		})
	}
	_ = group.Wait() // errors are in the report
	return report, ctx.Err()
}

// worker works on one context.
type worker struct {
	rules  Rules
	want   ContextBooks
	store  Store
	today  schoolmail.Date
	opts   Options
	emit   func(Event)
	report *ContextReport

	have        Snapshot
	touched     map[string]bool // folders to look at again
	done, total int             // of this round
	succeeded   int             // operations that worked this round
	refused     error           // first operation the server refused this round
}

func (w *worker) errorf(format string, err error) error {
	return fmt.Errorf("addressbook: context %d: "+format+": %w", w.want.Context, err)
}

func (w *worker) run(ctx context.Context) error {
	w.emit(Event{Context: w.want.Context, Stage: Loading})
	have, err := w.store.Load(ctx)
	if err != nil {
		return w.errorf("read", err)
	}
	if have.Context != 0 && have.Context != w.want.Context {
		return w.errorf("check access", fmt.Errorf("the credentials lead into context %d", have.Context))
	}
	have.Context = w.want.Context
	w.have = have
	var last error
	for round := 0; ; round++ {
		plan := Diff(w.rules, w.have, w.want, w.today)
		if round == 0 {
			w.report.Plan = plan
		}
		w.emit(Event{Context: w.want.Context, Stage: Planned, Counts: plan.Counts()})
		switch {
		case plan.Empty() || w.opts.DryRun:
			return nil
		case round == w.opts.Rounds:
			if last == nil {
				last = errors.New("somebody else keeps changing it")
			}
			return w.errorf("not finished ("+plan.Counts().String()+")", last)
		}
		w.report.Rounds++
		w.refused, w.succeeded = nil, 0
		w.touched = map[string]bool{}
		broken := w.apply(ctx, plan)
		if ctx.Err() != nil {
			return w.errorf("stopped", ctx.Err())
		}
		if last = w.refused; broken == nil && w.succeeded == 0 { // trying again would not help
			return w.errorf("nothing of "+plan.Counts().String()+" could be done", last)
		}
		if broken != nil {
			last = broken
			w.emit(Event{Context: w.want.Context, Stage: Repeating, Err: last})
		}
		if last != nil { // perhaps because a user or a group is gone
			w.have, err = w.store.Load(ctx)
		} else {
			w.have, err = w.store.Reload(ctx, w.have, slices.Sorted(maps.Keys(w.touched)))
		}
		if err != nil {
			return w.errorf("read again", errors.Join(last, err))
		}
		w.have.Context = w.want.Context
	}
}

// task is an operation with what to do when it worked.
type task struct {
	op     Op
	folder string // id of an existing folder, to look at again
	ok     func(Result)
}

// write carries out tasks that do not depend on each other.
func (w *worker) write(ctx context.Context, tasks []task) error {
	const portion = 1000 // so that progress is seen
	for part := range slices.Chunk(tasks, portion) {
		ops := make([]Op, len(part))
		for i, t := range part {
			ops[i] = t.op
			if t.folder != "" {
				w.touched[t.folder] = true
			}
		}
		results, err := w.store.Write(ctx, ops)
		for i, r := range results {
			if r.Err == nil {
				w.succeeded++
				part[i].ok(r)
			} else {
				w.fail(r.Err)
			}
		}
		w.progress(len(part))
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *worker) fail(err error) {
	w.report.Failed++
	if w.refused == nil {
		w.refused = err
	}
}

func (w *worker) progress(n int) {
	w.done += n
	w.emit(Event{Context: w.want.Context, Stage: Working, Done: w.done, Total: w.total})
}

// apply carries out a plan: first what takes rights away or frees titles, then
// new folders from the top down, then what is in them, last what goes.
func (w *worker) apply(ctx context.Context, plan Plan) error {
	w.done, w.total = 0, 0
	for _, f := range plan.Folders {
		if f.Swap {
			w.total++
		}
		if f.Create() || f.Delete || f.Move || f.Title != "" || f.Permissions != nil {
			w.total++
		}
		if !f.Delete {
			w.total += len(f.Add) + len(f.Change) + len(f.Remove)
		}
	}
	a := &applier{worker: w, ids: map[string]string{}}
	for _, step := range []func(context.Context, Plan) error{
		a.updateFolders, a.createFolders, a.moveFolders, a.fillFolders, a.writeEntries, a.deleteFolders,
	} {
		if err := step(ctx, plan); err != nil {
			return err
		}
	}
	return nil
}

type applier struct {
	*worker
	ids    map[string]string // id of a folder made by this plan, by its path
	filled map[int]bool      // folders of the plan that were filled by import
}

func pathKey(path []string) string { return strings.Join(path, "\x00") }

// parent is the id of the parent a plan names, or "" if it could not be made.
func (a *applier) parent(f FolderPlan) string {
	if f.Parent != "" {
		return f.Parent
	}
	return a.ids[pathKey(f.Path[:len(f.Path)-1])]
}

func (a *applier) updateFolders(ctx context.Context, plan Plan) error {
	var tasks []task
	for _, f := range plan.Folders {
		if f.Swap {
			tasks = append(tasks, task{
				op:     UpdateFolder{ID: f.ID, Title: passingTitle(f.Title, f.ID)},
				folder: f.ID,
				ok:     func(Result) {},
			})
		}
	}
	for _, f := range plan.Folders {
		if f.Hide && f.Title != "" { // it gives way, and is hidden with the same request
			tasks = append(tasks, a.updateTask(f, ""))
		}
	}
	if err := a.write(ctx, tasks); err != nil {
		return err
	}
	tasks = nil
	for _, f := range plan.Folders {
		if f.Create() || f.Delete || f.Move || f.Title == "" && f.Permissions == nil || f.Hide && f.Title != "" {
			continue
		}
		tasks = append(tasks, a.updateTask(f, ""))
	}
	return a.write(ctx, tasks)
}

func (a *applier) updateTask(f FolderPlan, parent string) task {
	return task{
		op:     UpdateFolder{ID: f.ID, Parent: parent, Title: f.Title, Permissions: f.Permissions},
		folder: f.ID,
		ok: func(Result) {
			if f.Hide {
				a.report.Done.FoldersHidden++
			} else {
				a.report.Done.FoldersChanged++
			}
		},
	}
}

func (a *applier) createFolders(ctx context.Context, plan Plan) error {
	byDepth := map[int][]FolderPlan{}
	for _, f := range plan.Folders {
		if f.Create() {
			byDepth[len(f.Path)] = append(byDepth[len(f.Path)], f)
		}
	}
	for _, depth := range slices.Sorted(maps.Keys(byDepth)) {
		var tasks []task
		for _, f := range byDepth[depth] {
			parent := a.parent(f)
			if parent == "" {
				continue // it was refused; the next round looks again
			}
			tasks = append(tasks, task{
				op: CreateFolder{Parent: parent, Title: f.Title, Permissions: f.Permissions},
				ok: func(r Result) {
					a.report.Done.FoldersCreated++
					a.ids[pathKey(f.Path)] = r.ID
				},
			})
		}
		if err := a.write(ctx, tasks); err != nil {
			return err
		}
	}
	return nil
}

func (a *applier) moveFolders(ctx context.Context, plan Plan) error {
	var tasks []task
	for _, f := range plan.Folders {
		if f.Move {
			if parent := a.parent(f); parent != "" {
				tasks = append(tasks, a.updateTask(f, parent))
			}
		}
	}
	return a.write(ctx, tasks)
}

func (a *applier) id(f FolderPlan) string {
	if f.ID != "" {
		return f.ID
	}
	return a.ids[pathKey(f.Path)]
}

// importable reports whether an entry can be imported as CSV: a server with an
// import limit counts lines, and could cut one with line breaks within.
func importable(e Entry) bool {
	return !e.IsList() && !slices.ContainsFunc([]string{e.DisplayName, e.GivenName, e.FamilyName, e.Phone, e.School,
		e.Class},
		func(s string) bool { return strings.ContainsAny(s, "\r\n") })
}

// fillFolders fills large new books by CSV import.
func (a *applier) fillFolders(ctx context.Context, plan Plan) error {
	a.filled = map[int]bool{}
	for i, f := range plan.Folders {
		id := a.id(f)
		if a.opts.ImportFrom < 0 || !f.Create() || id == "" || len(f.Add) < a.opts.ImportFrom {
			continue
		}
		var people []Entry
		for _, e := range f.Add {
			if importable(e) {
				people = append(people, e)
			}
		}
		if len(people) == 0 {
			continue
		}
		a.filled[i] = true
		a.touched[id] = true
		results, err := a.store.Fill(ctx, id, people)
		for _, r := range results {
			if r.Err == nil {
				a.succeeded++
				a.report.Done.EntriesAdded++
			} else {
				a.fail(r.Err)
			}
		}
		a.progress(len(people))
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *applier) writeEntries(ctx context.Context, plan Plan) error {
	var tasks []task
	for i, f := range plan.Folders {
		id := a.id(f)
		if id == "" {
			continue
		}
		for _, s := range f.Remove {
			tasks = append(tasks, task{DropEntry{id, s}, id, func(Result) { a.report.Done.EntriesRemoved++ }})
		}
		for _, c := range f.Change {
			tasks = append(tasks, task{ChangeEntry{id, c.Stored, c.After}, id, func(Result) { a.report.Done.EntriesChanged++ }})
		}
		for _, e := range f.Add {
			if a.filled[i] && importable(e) {
				continue
			}
			tasks = append(tasks, task{AddEntry{id, e}, id, func(Result) { a.report.Done.EntriesAdded++ }})
		}
	}
	return a.write(ctx, tasks)
}

// deleteFolders looks once more before it deletes: a folder takes everything in
// it along, and the run may have taken a while since it was read.
func (a *applier) deleteFolders(ctx context.Context, plan Plan) error {
	for _, f := range plan.Folders {
		if f.Delete {
			a.touched[f.ID] = true
		}
	}
	if !slices.ContainsFunc(plan.Folders, func(f FolderPlan) bool { return f.Delete }) {
		return nil
	}
	now, err := a.store.Reload(ctx, a.have, slices.Sorted(maps.Keys(a.touched)))
	if err != nil {
		return err
	}
	now.Context = a.want.Context
	stillDue := map[string]bool{}
	for _, f := range Diff(a.rules, now, a.want, a.today).Folders {
		stillDue[f.ID] = f.Delete
	}
	byDepth := map[int][]task{}
	for _, f := range plan.Folders {
		if f.Delete && stillDue[f.ID] {
			byDepth[len(f.Path)] = append(byDepth[len(f.Path)], task{
				op: DeleteFolder{ID: f.ID},
				ok: func(Result) { a.report.Done.FoldersDeleted++ },
			})
		}
	}
	depths := slices.Sorted(maps.Keys(byDepth))
	slices.Reverse(depths)
	for _, depth := range depths {
		if err := a.write(ctx, byDepth[depth]); err != nil {
			return err
		}
	}
	return nil
}
