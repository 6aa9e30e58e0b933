package ox

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/ictmedia/schoolmail"
)

// Observe reads contexts and all their users, sorted by context and id. Contexts
// that do not exist are left out. Contexts are read side by side, as far as the
// servers bear it. It is all or nothing: half a picture would make users look gone.
// Only a context whose database is still being updated when
// [Options].DatabaseUpdateWait is over comes without users, and says so.
func (g *Groupware) Observe(ctx context.Context, ids []schoolmail.ContextID) ([]schoolmail.Context,
	[]schoolmail.Place, error) {
	views := make([]view, len(ids))
	group, ctx := errgroup.WithContext(ctx)
	for i, id := range ids {
		group.Go(func() (err error) {
			views[i], err = g.view(ctx, id)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, nil, err
	}
	users := 0
	for i := range views {
		users += len(views[i].places)
	}
	var contexts []schoolmail.Context
	places := slices.Grow([]schoolmail.Place(nil), users)
	for _, v := range views {
		if v.context != nil {
			contexts = append(contexts, *v.context)
			places = append(places, v.places...)
			if !v.context.Updating {
				g.learn(v.context.ID, v.places)
			}
		}
	}
	slices.SortFunc(contexts, func(a, b schoolmail.Context) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(places, func(a, b schoolmail.Place) int {
		return cmp.Or(cmp.Compare(a.Context, b.Context), cmp.Compare(a.UserID, b.UserID))
	})
	return contexts, places, nil
}

// view is what was seen of a context; without one: there is none.
type view struct {
	context *schoolmail.Context
	places  []schoolmail.Place
}

// view reads a context and its users.
func (g *Groupware) view(ctx context.Context, id schoolmail.ContextID) (view, error) {
	c, err := g.c.Contexts.Get(ctx, id)
	switch {
	case is(err, ErrNoSuchContext):
		return view{}, nil
	case errors.Is(err, schoolmail.ErrUpdating):
		return view{context: &schoolmail.Context{ID: id, Updating: true}}, nil
	case err != nil:
		return view{}, err
	}
	places, err := g.places(ctx, id)
	if errors.Is(err, schoolmail.ErrUpdating) {
		return view{context: &schoolmail.Context{ID: id, Name: c.Name, Updating: true}}, nil
	}
	if is(err, ErrNoSuchContext, ErrCredentials) {
		// A context that is deleted meanwhile refuses its administrator.
		if _, err := g.c.Contexts.Get(ctx, id); is(err, ErrNoSuchContext) {
			return view{}, nil
		}
	}
	if err != nil {
		return view{}, err
	}
	return view{&schoolmail.Context{ID: id, Name: c.Name, Users: len(places)}, places}, nil
}

// places reads the users of a context.
func (g *Groupware) places(ctx context.Context, id schoolmail.ContextID) ([]schoolmail.Place, error) {
	cc, err := g.context("read users", id)
	if err != nil {
		return nil, err
	}
	if g.opt.Reader != nil {
		places, err := Collect(g.opt.Reader.Places(ctx, id))
		switch {
		case err == nil:
			return places, g.mailSwitches(ctx, cc, places)
		case !g.opt.ReadEither, ctx.Err() != nil, errors.Is(err, schoolmail.ErrUpdating):
			return nil, readerError(ctx, id, err)
		}
		g.tell(Event{Reason: FellBack, Context: id, Err: err})
	}
	var ids []schoolmail.UserID
	if g.opt.IDsFromGroup {
		group, err := cc.Groups.Get(ctx, GroupRef{ID: DefaultGroup})
		if err != nil {
			return nil, err
		}
		ids = group.Members
	} else if ids, err = cc.Users.ids(ctx, nil); err != nil {
		return nil, err
	}
	slices.Sort(ids)
	places := make([]schoolmail.Place, 0, len(ids))
	for p, err := range loadPlaces(ctx, cc, ids) {
		if err != nil {
			return nil, err
		}
		places = append(places, p)
	}
	return places, nil
}

// loadPlaces is [Users.Load] for the planner.
func loadPlaces(ctx context.Context, cc *ContextClient, ids []schoolmail.UserID) iter.Seq2[schoolmail.Place, error] {
	return loadUsers(ctx, cc.Users, ids, func(u *placedUser) schoolmail.Place { return placeFrom(cc.id, u) },
		func(p *schoolmail.Place) schoolmail.UserID { return p.UserID })
}

// mailSwitches finds out by SOAP which of the suspects have mail switched off.
func (g *Groupware) mailSwitches(ctx context.Context, cc *ContextClient, places []schoolmail.Place) error {
	if g.opt.MailOff == nil {
		return nil
	}
	index := make(map[string]int, len(places))
	for i, p := range places {
		index[p.Username] = i
	}
	var ids []schoolmail.UserID
	for _, name := range g.opt.MailOff(cc.id) {
		if i, ok := index[name]; ok {
			ids = append(ids, places[i].UserID)
		}
	}
	for p, err := range loadPlaces(ctx, cc, unique(ids)) {
		if err != nil {
			return err
		}
		if i, ok := index[p.Username]; ok {
			places[i].MailEnabled = p.MailEnabled
		}
	}
	return nil
}

// readerError is the error of another reader.
func readerError(ctx context.Context, id schoolmail.ContextID, err error) error {
	e := &Error{Op: "read users", Context: id, Kind: ErrReader, Err: err, NotDone: true}
	switch {
	case ctx.Err() != nil:
		e.Kind = ErrCanceled
	case errors.Is(err, schoolmail.ErrUpdating):
		e.Kind = ErrDatabaseUpdate
	}
	return e
}

// learn replaces what is known of a context.
func (g *Groupware) learn(id schoolmail.ContextID, places []schoolmail.Place) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.known[id] = &known{complete: true, places: places, names: map[string]bool{}, mails: map[string]struct{}{}}
}

// of returns what is known of a context; nil: nothing. The lock is held.
func (g *Groupware) of(id schoolmail.ContextID) *known {
	k := g.known[id]
	if k != nil && k.places != nil {
		for i := range k.places {
			k.add(&k.places[i])
		}
		k.places = nil
	}
	return k
}

func (k *known) add(p *schoolmail.Place) {
	k.names[p.Username] = true
	k.mails[strings.ToLower(p.Mail)] = struct{}{}
}

func (g *Groupware) remember(p schoolmail.Place) {
	g.mu.Lock()
	defer g.mu.Unlock()
	k := g.of(p.Context)
	if k == nil {
		k = &known{names: make(map[string]bool), mails: make(map[string]struct{})}
		g.known[p.Context] = k
	}
	k.add(&p)
}

func (g *Groupware) forget(id schoolmail.ContextID, username, mail string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if k := g.of(id); k != nil {
		delete(k.names, username)
		delete(k.mails, strings.ToLower(mail))
	}
}

func (g *Groupware) seen(id schoolmail.ContextID, username string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	k := g.of(id)
	return k != nil && k.names[username]
}

func (g *Groupware) complete(id schoolmail.ContextID) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.known[id] != nil && g.known[id].complete
}

func (g *Groupware) mailKnown(id schoolmail.ContextID, mail string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, ok := g.of(id).mails[strings.ToLower(mail)]
	return ok
}
