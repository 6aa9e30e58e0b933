package ox

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/ox/internal/oxcontext"
)

// Contexts are the contexts of the installation, seen by the master
// administrator.
type Contexts struct{ c *Client }

func (s *Contexts) call(name string, op *soap.Operation, id schoolmail.ContextID, req any) call {
	return call{name: name, op: op, context: id, req: req, cred: s.c.master}
}

func (s *Contexts) run(ctx context.Context, k call) error { return s.c.do(ctx, &k) }

// from converts a context and remembers its schema for the scheduler.
func (s *Contexts) from(g *oxcontext.Context) Context {
	out := contextFrom(g)
	s.c.schemas.learn(out.ID, out.WriteDatabase.Name)
	return out
}

// Get reads a context.
func (s *Contexts) Get(ctx context.Context, id schoolmail.ContextID) (Context, error) {
	return s.get(ctx, s.call("read context", oxcontext.OpGetData, id, &oxcontext.GetData{}))
}

// Get reads the context with its administrator's credentials.
func (cc *ContextClient) Get(ctx context.Context) (Context, error) {
	k := cc.c.Contexts.call("read context", oxcontext.OpGetData, cc.id, &oxcontext.GetData{})
	k.cred = cc.cred
	return cc.c.Contexts.get(ctx, k)
}

func (s *Contexts) get(ctx context.Context, k call) (Context, error) {
	r, err := invoke[oxcontext.GetDataResponse](ctx, s.c, k)
	if err != nil {
		return Context{}, err
	}
	if r.Return_ == nil {
		return Context{}, &Error{Op: k.name, Context: k.context, Kind: ErrNoSuchContext, NotDone: true}
	}
	out := contextFrom(r.Return_)
	if out.ID != k.context {
		return Context{}, k.otherAnswer()
	}
	return s.from(r.Return_), nil
}

// Exists reports whether there is a context with this id.
func (s *Contexts) Exists(ctx context.Context, id schoolmail.ContextID) (bool, error) {
	r, err := invoke[oxcontext.ExistsResponse](ctx, s.c, s.call("look for context", oxcontext.OpExists, id,
		&oxcontext.Exists{}))
	if err != nil {
		return false, err
	}
	return val(r.Return_), nil
}

// NameExists reports whether there is a context with this name.
func (s *Contexts) NameExists(ctx context.Context, name string) (bool, error) {
	k := s.call("look for context", oxcontext.OpExists, 0, &oxcontext.Exists{Ctx: &oxcontext.Context{Name: &name}})
	k.subject = name
	r, err := invoke[oxcontext.ExistsResponse](ctx, s.c, k)
	if err != nil {
		return false, err
	}
	return val(r.Return_), nil
}

// ExistsInServer reports whether the context belongs to the registered server
// that answers.
func (s *Contexts) ExistsInServer(ctx context.Context, id schoolmail.ContextID) (bool, error) {
	r, err := invoke[oxcontext.ExistsInServerResponse](ctx, s.c,
		s.call("look for context", oxcontext.OpExistsInServer, id, &oxcontext.ExistsInServer{}))
	if err != nil {
		return false, err
	}
	return val(r.Return_), nil
}

// All lists all contexts in no order.
func (s *Contexts) All(ctx context.Context) iter.Seq2[Context, error] {
	return each(func() ([]Context, error) {
		return stream(ctx, s.c, s.call("list contexts", oxcontext.OpListAll, 0, &oxcontext.ListAll{}), s.from)
	})
}

// Search lists the contexts whose name or login mapping matches the pattern, in
// which "*" is a wildcard. A number also matches the id.
func (s *Contexts) Search(ctx context.Context, pattern string) iter.Seq2[Context, error] {
	return each(func() ([]Context, error) {
		return stream(ctx, s.c, s.call("list contexts", oxcontext.OpList, 0, &oxcontext.List{Search_pattern: &pattern}),
			s.from)
	})
}

// Page lists a window of the contexts that match a pattern, ordered by id; an
// empty pattern is all of them. A length below 0 means no limit.
func (s *Contexts) Page(ctx context.Context, pattern string, offset, length int) iter.Seq2[Context, error] {
	from, n := strconv.Itoa(offset), strconv.Itoa(length)
	return each(func() ([]Context, error) {
		if pattern == "" {
			return stream(ctx, s.c, s.call("list contexts", oxcontext.OpListPageAll, 0,
				&oxcontext.ListPageAll{Offset: &from, Length: &n}), s.from)
		}
		return stream(ctx, s.c, s.call("list contexts", oxcontext.OpListPage, 0,
			&oxcontext.ListPage{Search_pattern: &pattern, Offset: &from, Length: &n}), s.from)
	})
}

// Window is a part of a list, ordered by context id.
type Window struct{ Offset, Length int }

// OnDatabase lists the contexts in a database, without their attributes. A nil
// window is all of them.
func (s *Contexts) OnDatabase(ctx context.Context, id int, w *Window) iter.Seq2[Context, error] {
	db := &oxcontext.Database{Id: number(id)}
	return each(func() ([]Context, error) {
		if w == nil {
			return stream(ctx, s.c, s.call("list contexts", oxcontext.OpListByDatabase, 0, &oxcontext.ListByDatabase{Db: db}),
				s.from)
		}
		return stream(ctx, s.c, s.call("list contexts", oxcontext.OpListPageByDatabase, 0, &oxcontext.ListPageByDatabase{
			Db: db, Offset: new(strconv.Itoa(w.Offset)), Length: new(strconv.Itoa(w.Length))}), s.from)
	})
}

// OnFilestore lists the contexts in a file store, without their attributes. A
// nil window is all of them.
func (s *Contexts) OnFilestore(ctx context.Context, id int, w *Window) iter.Seq2[Context, error] {
	fs := &oxcontext.Filestore{Id: number(id)}
	return each(func() ([]Context, error) {
		if w == nil {
			return stream(ctx, s.c, s.call("list contexts", oxcontext.OpListByFilestore, 0,
				&oxcontext.ListByFilestore{Fs: fs}), s.from)
		}
		return stream(ctx, s.c, s.call("list contexts", oxcontext.OpListPageByFilestore, 0, &oxcontext.ListPageByFilestore{
			Fs: fs, Offset: new(strconv.Itoa(w.Offset)), Length: new(strconv.Itoa(w.Length))}), s.from)
	})
}

// Create makes a context with its administrator. One is made at a time in the
// whole installation: creates of one schema that overlap end in deadlocks of OX's
// database (seen on 8.20 with six at a time, in one of five). If that happens all
// the same, because somebody else makes contexts, or the answer is lost, Create looks
// whether the context is there before it tries again; one with the same id and name
// is then taken for the one just made.
func (s *Contexts) Create(ctx context.Context, n NewContext) (Context, error) {
	k := s.call("create context", oxcontext.OpCreate, n.ID, nil)
	k.secrets = append(k.secrets, n.Admin.Password)
	if err := n.Admin.check(AccessRules{Admin: true, BypassCombinations: s.c.opt.BypassAccessChecks}); err != nil {
		return Context{}, k.invalid(fmt.Errorf("administrator: %w", err))
	}
	data, err := n.to()
	if err != nil {
		return Context{}, k.invalid(err)
	}
	admin, err := n.admin()
	if err != nil {
		return Context{}, k.invalid(err)
	}
	release, err := s.c.creates.acquire(ctx, 0)
	if err != nil {
		return Context{}, k.canceled(err, nil)
	}
	defer release()
	create := func() (*oxcontext.Context, error) {
		switch {
		case n.Admin.AccessName != "":
			k.op, k.req = oxcontext.OpCreateModuleAccessByName, &oxcontext.CreateModuleAccessByName{
				Ctx: data, Admin_user: admin, Access_combination_name: &n.Admin.AccessName, Schema_select_strategy: n.strategy()}
			r, err := invoke[oxcontext.CreateModuleAccessByNameResponse](ctx, s.c, k)
			if err != nil {
				return nil, err
			}
			return r.Return_, nil
		case n.Admin.Access != nil:
			k.op, k.req = oxcontext.OpCreateModuleAccess, &oxcontext.CreateModuleAccess{
				Ctx: data, Admin_user: admin, Access: accessTo(*n.Admin.Access),
				Schema_select_strategy: n.strategy()}
			r, err := invoke[oxcontext.CreateModuleAccessResponse](ctx, s.c, k)
			if err != nil {
				return nil, err
			}
			return r.Return_, nil
		}
		k.req = &oxcontext.Create{Ctx: data, Admin_user: admin, Schema_select_strategy: n.strategy()}
		r, err := invoke[oxcontext.CreateResponse](ctx, s.c, k)
		if err != nil {
			return nil, err
		}
		return r.Return_, nil
	}
	wantName := n.Name
	set(&wantName, strconv.Itoa(int(n.ID)))
	return settle(ctx, s.c, []Kind{ErrContextExists, ErrMappingUsed},
		func() (Context, error) {
			r, err := create()
			if err != nil {
				return Context{}, err
			}
			if r == nil {
				return Context{}, &Error{Op: k.name, Context: k.context, Kind: ErrProtocol, Message: "no context in the answer"}
			}
			return s.from(r), nil
		},
		func() (Context, sighting, error) {
			got, err := s.Get(ctx, n.ID)
			switch {
			case is(err, ErrNoSuchContext):
				return Context{}, absent, nil
			case err != nil:
				return Context{}, absent, err
			case got.Name == wantName:
				return got, asWanted, nil
			}
			return got, different, nil
		})
}

// Change writes to a context. A change that says nothing is not sent.
func (s *Contexts) Change(ctx context.Context, id schoolmail.ContextID, ch ContextChange) error {
	k := s.call("change context", oxcontext.OpChange, id, nil)
	switch {
	case reflect.ValueOf(ch).IsZero():
		return nil
	case ch.Name != nil && *ch.Name == "":
		return k.invalid(errors.New("the name cannot be cleared"))
	case ch.LoginMappings != nil && len(ch.LoginMappings) == 0:
		return k.invalid(errors.New("the login mappings cannot be emptied"))
	}
	if ch.Name != nil && ch.LoginMappings == nil {
		now, err := s.Get(ctx, id)
		if err != nil {
			return err
		}
		ch.LoginMappings = []string{*ch.Name}
		for _, m := range now.LoginMappings {
			if m != now.Name && !slices.Contains(ch.LoginMappings, m) {
				ch.LoginMappings = append(ch.LoginMappings, m)
			}
		}
	}
	k.req = &oxcontext.Change{Ctx: ch.to(id)}
	return s.run(ctx, k)
}

// Delete removes a context with everything in it. It takes long. A context that
// does not exist is success.
func (s *Contexts) Delete(ctx context.Context, id schoolmail.ContextID) error {
	err := s.run(ctx, s.call("delete context", oxcontext.OpDelete, id, &oxcontext.Delete{}))
	if is(err, ErrNoSuchContext) {
		return nil
	}
	return err
}

// Disable keeps the context's users from logging in and ends their sessions.
// Provisioning still works.
func (s *Contexts) Disable(ctx context.Context, id schoolmail.ContextID) error {
	return s.run(ctx, s.call("disable context", oxcontext.OpDisable, id, &oxcontext.Disable{}))
}

// Enable lets the context's users log in again.
func (s *Contexts) Enable(ctx context.Context, id schoolmail.ContextID) error {
	return s.run(ctx, s.call("enable context", oxcontext.OpEnable, id, &oxcontext.Enable{}))
}

// Downgrade removes the data of modules that were switched off.
func (s *Contexts) Downgrade(ctx context.Context, id schoolmail.ContextID) error {
	return s.run(ctx, s.call("downgrade context", oxcontext.OpDowngrade, id, &oxcontext.Downgrade{}))
}

// AdminID returns the id of the context's administrator, usually 2.
func (s *Contexts) AdminID(ctx context.Context, id schoolmail.ContextID) (schoolmail.UserID, error) {
	r, err := invoke[oxcontext.GetAdminIdResponse](ctx, s.c, s.call("read administrator", oxcontext.OpGetAdminId, id,
		&oxcontext.GetAdminId{}))
	if err != nil {
		return 0, err
	}
	return schoolmail.UserID(val(r.Return_)), nil
}

// Access reads the access of the context's administrator.
func (s *Contexts) Access(ctx context.Context, id schoolmail.ContextID) (Access, error) {
	r, err := invoke[oxcontext.GetModuleAccessResponse](ctx, s.c,
		s.call("read access of context", oxcontext.OpGetModuleAccess, id, &oxcontext.GetModuleAccess{}))
	if err != nil {
		return 0, err
	}
	return accessFrom(r.Return_), nil
}

// AccessName returns the named combination that the context's administrator has
// exactly, or "".
func (s *Contexts) AccessName(ctx context.Context, id schoolmail.ContextID) (string, error) {
	r, err := invoke[oxcontext.GetAccessCombinationNameResponse](ctx, s.c,
		s.call("read access name of context", oxcontext.OpGetAccessCombinationName, id,
			&oxcontext.GetAccessCombinationName{}))
	if err != nil {
		return "", err
	}
	return val(r.Return_), nil
}

// SetAccess gives every user of the context, the administrator included, these
// flags. It is the fast way to apply one profile to a whole context.
func (s *Contexts) SetAccess(ctx context.Context, id schoolmail.ContextID, a Access) error {
	k := s.call("set access of context", oxcontext.OpChangeModuleAccess, id,
		&oxcontext.ChangeModuleAccess{Access: accessTo(a)})
	if err := a.Check(AccessRules{Admin: true, BypassCombinations: s.c.opt.BypassAccessChecks}); err != nil {
		return k.invalid(err)
	}
	return s.run(ctx, k)
}

// SetAccessName gives every user of the context, the administrator included, a
// named combination.
func (s *Contexts) SetAccessName(ctx context.Context, id schoolmail.ContextID, name string) error {
	return s.run(ctx, s.call("set access of context", oxcontext.OpChangeModuleAccessByName, id,
		&oxcontext.ChangeModuleAccessByName{Access_combination_name: &name}))
}

// Capabilities lists the context's own capabilities.
func (s *Contexts) Capabilities(ctx context.Context, id schoolmail.ContextID) ([]string, error) {
	r, err := invoke[oxcontext.GetContextCapabilitiesResponse](ctx, s.c,
		s.call("read capabilities of context", oxcontext.OpGetContextCapabilities, id, &oxcontext.GetContextCapabilities{}))
	if err != nil {
		return nil, err
	}
	return capabilitiesFrom(val(r.Return_)), nil
}

// ChangeCapabilities changes the context's own capabilities.
func (s *Contexts) ChangeCapabilities(ctx context.Context, id schoolmail.ContextID, ch CapabilityChange) error {
	k := s.call("change capabilities of context", oxcontext.OpChangeCapabilities, id, nil)
	if ch.isZero() {
		return k.invalid(errNoCapabilities)
	}
	k.req = &oxcontext.ChangeCapabilities{CapsToAdd: commaList(ch.Grant), CapsToRemove: commaList(ch.Deny),
		CapsToDrop: commaList(ch.Remove)}
	return s.run(ctx, k)
}

// Quota limits the number of objects of a module in a context; 0 is unlimited.
type Quota struct {
	Module string // calendar, task, contact, infostore, attachment, invite_guests or share_links
	Limit  int64
}

// quotaModules are the modules that a quota can be set for.
var quotaModules = []string{"calendar", "task", "contact", "infostore", "attachment", "invite_guests", "share_links"}

// Quotas lists the quotas that are set in a context.
func (s *Contexts) Quotas(ctx context.Context, id schoolmail.ContextID) ([]Quota, error) {
	return stream(ctx, s.c, s.call("list quotas of context", oxcontext.OpListQuota, id, &oxcontext.ListQuota{}),
		func(g *oxcontext.Quota) Quota { return Quota{Module: val(g.Module), Limit: g.Limit} })
}

// SetQuota sets a quota; a limit below 0 removes it. OX stores names of modules that
// it does not know without a word, so they are refused here.
func (s *Contexts) SetQuota(ctx context.Context, id schoolmail.ContextID, q Quota) error {
	k := s.call("set quota of context", oxcontext.OpChangeQuota, id, nil)
	switch {
	case !slices.Contains(quotaModules, q.Module):
		return k.invalid(fmt.Errorf("module %q: expected one of %s", q.Module, strings.Join(quotaModules, ", ")))
	case q.Limit > 1<<32-1:
		return k.invalid(errors.New("limit above 4294967295"))
	}
	k.req = &oxcontext.ChangeQuota{Module: &q.Module, QuotaValue: new(strconv.FormatInt(q.Limit, 10))}
	return s.run(ctx, k)
}

// MoveDatabase moves a context into another database. It is disabled meanwhile.
// The result is the number of a job; see [Jobs].
func (s *Contexts) MoveDatabase(ctx context.Context, id schoolmail.ContextID, database int) (int, error) {
	r, err := invoke[oxcontext.MoveContextDatabaseResponse](ctx, s.c,
		s.call("move context", oxcontext.OpMoveContextDatabase, id,
			&oxcontext.MoveContextDatabase{Dst_database_id: &oxcontext.Database{Id: number(database)}}))
	if err != nil {
		return 0, err
	}
	return int(val(r.Return_)), nil
}

// MoveFilestore moves a context's files into another file store. It is disabled
// meanwhile. The result is the number of a job; see [Jobs].
func (s *Contexts) MoveFilestore(ctx context.Context, id schoolmail.ContextID, filestore int) (int, error) {
	r, err := invoke[oxcontext.MoveContextFilestoreResponse](ctx, s.c,
		s.call("move context", oxcontext.OpMoveContextFilestore, id,
			&oxcontext.MoveContextFilestore{Dst_filestore_id: &oxcontext.Filestore{Id: number(filestore)}}))
	if err != nil {
		return 0, err
	}
	return int(val(r.Return_)), nil
}
