package ox

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"strconv"
	"strings"

	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/ox/internal/oxresource"
)

// ResourceID is the number of a resource in its context.
type ResourceID int

// ResourceRef names a resource by id or by name. With both, the id counts.
type ResourceRef struct {
	ID   ResourceID
	Name string
}

func (r ResourceRef) String() string {
	if r.Name != "" {
		return r.Name
	}
	return strconv.Itoa(int(r.ID))
}

func (r ResourceRef) to() *oxresource.Resource {
	if r.ID != 0 {
		return &oxresource.Resource{Id: number(r.ID)}
	}
	return &oxresource.Resource{Name: text(r.Name)}
}

// Privilege is what somebody may do with a resource.
type Privilege string

// The privileges, which need OX 8.10. AskToBook needs somebody with Delegate.
const (
	NoPrivilege  Privilege = "none"
	AskToBook    Privilege = "ask_to_book"
	BookDirectly Privilege = "book_directly"
	Delegate     Privilege = "delegate"
)

// ResourcePermission gives a user or a group a privilege on a resource. Group 0
// is everybody.
type ResourcePermission struct {
	Entity    int
	Group     bool // Entity is a group
	Privilege Privilege
}

// Resource is a room or a thing that can be booked.
type Resource struct {
	ID          ResourceID
	Name        string // unique
	DisplayName string
	Email       string // unique, also against primary addresses of users
	Description string
	Available   bool
	Permissions []ResourcePermission
}

func resourceFrom(g *oxresource.Resource) Resource {
	out := Resource{
		ID: ResourceID(val(g.Id)), Name: val(g.Name), DisplayName: val(g.Displayname), Email: val(g.Email),
		Description: val(g.Description), Available: val(g.Available),
	}
	for _, p := range g.Permissions {
		out.Permissions = append(out.Permissions, ResourcePermission{
			Entity: int(val(p.Entity)), Group: val(p.Group), Privilege: Privilege(strings.ToLower(val(p.Privilege)))})
	}
	return out
}

func permissionsTo(list []ResourcePermission) []*oxresource.ResourcePermission {
	var out []*oxresource.ResourcePermission
	for _, p := range list {
		out = append(out, &oxresource.ResourcePermission{Entity: new(int32Of(p.Entity)), Group: &p.Group,
			Privilege: new(string(p.Privilege))})
	}
	return out
}

// ResourceChange is what to write to a resource: nil leaves unchanged. Permissions
// are replaced as a whole; the one entry {0, true, BookDirectly} makes the
// resource unmanaged again.
type ResourceChange struct {
	Name, DisplayName, Email, Description *string
	Available                             *bool
	Permissions                           []ResourcePermission
}

// Resources are the resources of one context.
type Resources struct{ cc *ContextClient }

func (s *Resources) call(name string, op *soap.Operation, subject string, req any) call {
	return call{name: name, op: op, context: s.cc.id, subject: subject, req: req, cred: s.cc.cred}
}

func (s *Resources) run(ctx context.Context, k call) error { return s.cc.c.do(ctx, &k) }

// Get reads a resource.
func (s *Resources) Get(ctx context.Context, ref ResourceRef) (Resource, error) {
	r, err := invoke[oxresource.GetDataResponse](ctx, s.cc.c, s.call("read resource", oxresource.OpGetData, ref.String(),
		&oxresource.GetData{Res: ref.to()}))
	if err != nil {
		return Resource{}, err
	}
	if r.Return_ == nil {
		return Resource{}, &Error{Op: "read resource", Context: s.cc.id, Subject: ref.String(), Kind: ErrNoSuchResource,
			NotDone: true}
	}
	return resourceFrom(r.Return_), nil
}

// All lists all resources.
func (s *Resources) All(ctx context.Context) iter.Seq2[Resource, error] {
	return each(func() ([]Resource, error) {
		return stream(ctx, s.cc.c, s.call("list resources", oxresource.OpListAll, "", &oxresource.ListAll{}), resourceFrom)
	})
}

// Search lists the resources whose name or display name matches the pattern,
// which must not be empty and in which "*" is a wildcard.
func (s *Resources) Search(ctx context.Context, pattern string) iter.Seq2[Resource, error] {
	return each(func() ([]Resource, error) {
		return stream(ctx, s.cc.c, s.call("list resources", oxresource.OpList, "", &oxresource.List{Pattern: &pattern}),
			resourceFrom)
	})
}

// Load reads the resources with these ids in chunks. Those that do not exist
// are left out.
func (s *Resources) Load(ctx context.Context, ids []ResourceID) iter.Seq2[Resource, error] {
	return chunked(ctx, ids, s.cc.c.opt.ChunkSize, func(ctx context.Context, ids []ResourceID) ([]Resource, error) {
		return skipMissing(ctx, ids, ErrNoSuchResource, func(ctx context.Context, ids []ResourceID) ([]Resource, error) {
			req := new(oxresource.GetMultipleData)
			for _, id := range ids {
				req.Resources = append(req.Resources, ResourceRef{ID: id}.to())
			}
			return loaded(ctx, s.cc.c, s.call("read resources", oxresource.OpGetMultipleData, "", req), ids,
				resourceFrom, func(r *Resource) ResourceID { return r.ID })
		})
	})
}

// Create makes a resource; Name, DisplayName and Email are mandatory, ID is
// ignored. If the answer is lost, Create looks whether the resource is there
// before it tries again.
func (s *Resources) Create(ctx context.Context, n Resource) (Resource, error) {
	k := s.call("create resource", oxresource.OpCreate, n.Name, &oxresource.Create{Res: &oxresource.Resource{
		Name: text(n.Name), Displayname: text(n.DisplayName), Email: text(n.Email), Description: text(n.Description),
		Available: &n.Available, Permissions: permissionsTo(n.Permissions)}})
	if n.Name == "" || n.DisplayName == "" || n.Email == "" {
		return Resource{}, k.invalid(errors.New("mandatory fields not set: Name, DisplayName and Email"))
	}
	if err := checkPermissions(n.Permissions); err != nil {
		return Resource{}, k.invalid(err)
	}
	return settle(ctx, s.cc.c, []Kind{ErrInvalidData},
		func() (Resource, error) {
			r, err := invoke[oxresource.CreateResponse](ctx, s.cc.c, k)
			if err != nil {
				return Resource{}, err
			}
			if r.Return_ == nil || r.Return_.Id == nil {
				return Resource{}, &Error{Op: k.name, Context: k.context, Subject: k.subject, Kind: ErrProtocol,
					Message: "no resource in the answer"}
			}
			return resourceFrom(r.Return_), nil
		},
		func() (Resource, sighting, error) {
			got, err := s.Get(ctx, ResourceRef{Name: n.Name})
			switch {
			case is(err, ErrNoSuchResource):
				return Resource{}, absent, nil
			case err != nil:
				return Resource{}, absent, err
			case got.DisplayName == n.DisplayName && strings.EqualFold(got.Email, n.Email):
				return got, asWanted, nil
			}
			return got, different, nil
		})
}

// checkPermissions refuses what OX would refuse.
func checkPermissions(list []ResourcePermission) error {
	seen := make(map[ResourcePermission]bool)
	var asks, delegates bool
	for _, p := range list {
		key := ResourcePermission{Entity: p.Entity, Group: p.Group}
		if seen[key] {
			return fmt.Errorf("entity %d has two permissions", p.Entity)
		}
		seen[key] = true
		switch p.Privilege {
		case AskToBook:
			asks = true
		case Delegate:
			delegates = true
		case NoPrivilege, BookDirectly:
		default:
			return fmt.Errorf("entity %d: unknown privilege %q", p.Entity, string(p.Privilege))
		}
	}
	if asks && !delegates {
		return errors.New("ask_to_book needs somebody with delegate")
	}
	return nil
}

// Change writes to a resource.
func (s *Resources) Change(ctx context.Context, ref ResourceRef, ch ResourceChange) error {
	k := s.call("change resource", oxresource.OpChange, ref.String(), nil)
	switch err := checkPermissions(ch.Permissions); {
	case reflect.ValueOf(ch).IsZero():
		return nil
	case err != nil:
		return k.invalid(err)
	case ch.Permissions != nil && len(ch.Permissions) == 0:
		return k.invalid(errors.New("the permissions cannot be emptied: {0, true, BookDirectly} makes the resource " +
			"unmanaged"))
	case ch.Name != nil && *ch.Name == "":
		return k.invalid(errors.New("the name cannot be cleared"))
	}
	if ref.ID == 0 {
		if ch.Name != nil && *ch.Name != ref.Name {
			return k.invalid(errors.New("a new name needs the resource's id"))
		}
		ch.Name = &ref.Name
	}
	k.req = &oxresource.Change{Res: &oxresource.Resource{
		Id: number(ref.ID), Name: ch.Name, Displayname: ch.DisplayName, Email: ch.Email, Description: ch.Description,
		Available: ch.Available, Permissions: permissionsTo(ch.Permissions)}}
	return s.run(ctx, k)
}

// Delete removes a resource. One that does not exist is success.
func (s *Resources) Delete(ctx context.Context, ref ResourceRef) error {
	err := s.run(ctx, s.call("delete resource", oxresource.OpDelete, ref.String(), &oxresource.Delete{Res: ref.to()}))
	if is(err, ErrNoSuchResource) {
		return nil
	}
	return err
}
