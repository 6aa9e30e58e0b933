package oxtest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/internal/testlife"
	"github.com/ictmedia/schoolmail/ox/internal/oxcontext"
	"github.com/ictmedia/schoolmail/ox/internal/oxgroup"
	"github.com/ictmedia/schoolmail/ox/internal/oxuser"
	"github.com/ictmedia/schoolmail/ox/internal/oxusercopy"
	"github.com/ictmedia/schoolmail/ox/oxtest/internal/state"
)

// A bench is a server with two contexts and a client for the raw types.
type bench struct {
	*testing.T
	*Server
	c *soap.Client
}

func start(t *testing.T, opts ...Option) *bench {
	t.Helper()
	srv := testlife.Of(Start(opts...))(t)
	c, err := soap.NewClient(srv.SOAPURL, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, ctx := range []Context{{ID: 10, Name: "teachers"}, {ID: 20, Name: "pupils",
		LoginMappings: []string{"pupils.example"}, Access: "groupware_standard"}} {
		if err := srv.State().AddContext(ctx); err != nil {
			t.Fatal(err)
		}
	}
	return &bench{t, srv.Server, c}
}

func (b *bench) call(op *soap.Operation, req, resp any) error {
	return b.c.Call(context.Background(), op, req, resp)
}

// ok fails the test when a call fails.
func (b *bench) ok(op *soap.Operation, req, resp any) {
	b.Helper()
	if err := b.call(op, req, resp); err != nil {
		b.Fatal(err)
	}
}

// refused fails the test unless a call ends with a fault of that kind whose text holds text.
func (b *bench) refused(kind, text string, op *soap.Operation, req, resp any) {
	b.Helper()
	var f *soap.Fault
	err := b.call(op, req, resp)
	if !errors.As(err, &f) || f.Kind != kind || !strings.Contains(f.Message, text) {
		b.Errorf("%s: got %v, want %s: ...%s...", op, err, kind, text)
	}
}

func userCtx(id int) *oxuser.Context { return &oxuser.Context{Id: state.Id32(id)} }

var adminAuth = &oxuser.Credentials{Login: new("oxadmin"), Password: new("secret")}
var masterAuth = &oxcontext.Credentials{Login: new("oxadminmaster"), Password: new("secret")}

// person is a request that creates a user.
func person(name string) *oxuser.User {
	mail := name + "@school.example"
	return &oxuser.User{Name: &name, Password: new("pw-" + name), Display_name: new("Display " + name),
		Given_name: new("Given"), Sur_name: new("Sur"),
		PrimaryEmail: &mail, Email1: &mail}
}

func (b *bench) create(ctx int, u *oxuser.User) int {
	b.Helper()
	var out oxuser.CreateResponse
	b.ok(oxuser.OpCreate, &oxuser.Create{Ctx: userCtx(ctx), Usrdata: u, Auth: adminAuth}, &out)
	return state.Number(out.Return_.Id)
}

func TestUserLifeCycle(t *testing.T) {
	t.Parallel()
	b := start(t)
	in := person("mia")
	in.Aliases = []string{"m.lind@school.example"}
	var made oxuser.CreateByModuleAccessNameResponse
	b.ok(oxuser.OpCreateByModuleAccessName, &oxuser.CreateByModuleAccessName{Ctx: userCtx(10), Usrdata: in,
		Auth:                    adminAuth,
		Access_combination_name: new("groupware_standard")}, &made)
	u := made.Return_
	if state.Number(u.Id) != 3 || state.Text(u.Password) != "pw-mia" ||
		state.Text(u.DefaultSenderAddress) != "mia@school.example" ||
		!slices.Equal(u.Aliases, []string{"m.lind@school.example", "mia@school.example"}) {
		t.Errorf("create answers %+v", u)
	}

	get := func() *oxuser.User {
		t.Helper()
		var out oxuser.GetDataResponse
		b.ok(oxuser.OpGetData, &oxuser.GetData{Ctx: userCtx(10), User: &oxuser.User{Name: new("mia")}, Auth: adminAuth}, &out)
		return out.Return_
	}
	u = get()
	if u.Password != nil || state.Text(u.PasswordMech) != "{SHA-256}" || state.Text(u.Language) != "en_US" ||
		u.MaxQuota == nil ||
		*u.MaxQuota != -1 ||
		u.Department != nil || u.ImapServer != nil || state.Number(u.ImapPort) != 143 || u.UserAttributes == nil ||
		len(u.UserAttributes.Entries) != 1 {
		t.Errorf("getData answers %+v", u)
	}

	change := func(u *oxuser.User) {
		t.Helper()
		u.Id = state.Id32(3)
		b.ok(oxuser.OpChange, &oxuser.Change{Ctx: userCtx(10), Usrdata: u, Auth: adminAuth}, nil)
	}
	change(&oxuser.User{Department: new("7b"), Given_name: new("")})
	change(&oxuser.User{ImapServer: new("imap.example"), ImapPort: state.Id32(993)})
	change(&oxuser.User{ImapServer: new(""), ImapPort: state.Id32(1)})
	if u = get(); state.Text(u.Department) != "7b" || u.Given_name == nil || *u.Given_name != "" ||
		state.Text(u.ImapServerString) != "imaps://imap.example:993" ||
		state.Text(u.ImapServer) != "imap.example" || state.Number(u.ImapPort) != 993 {
		t.Errorf("after changes: %+v", u)
	}

	var list oxuser.ListAllResponse
	b.ok(oxuser.OpListAll, &oxuser.ListAll{Ctx: userCtx(10), Auth: adminAuth}, &list)
	if len(list.Return_) != 2 || list.Return_[0].Name != nil {
		t.Errorf("listAll answers %d users", len(list.Return_))
	}
	b.ok(oxuser.OpDelete, &oxuser.Delete{Ctx: userCtx(10), User: &oxuser.User{Id: state.Id32(3)}, Auth: adminAuth}, nil)
	b.refused("NoSuchUserException", "No such user", oxuser.OpDelete,
		&oxuser.Delete{Ctx: userCtx(10), User: &oxuser.User{Id: state.Id32(3)}, Auth: adminAuth}, nil)
	if id := b.create(10, person("mia")); id != 4 {
		t.Errorf("the id %d was given again", id)
	}
}

func TestCopyUser(t *testing.T) {
	t.Parallel()
	b := start(t)
	id := b.create(10, person("mia"))
	data := PersonalData{Appointments: []string{"trip"}, Tasks: []string{"t"}, Files: []string{"f"}, DriveBytes: 5 << 20,
		SharedFiles: []string{"s"}, UISettings: "dark"}
	if err := b.state.SetData(10, "mia", data); err != nil {
		t.Fatal(err)
	}
	req := &oxusercopy.CopyUser{User: &oxusercopy.User{Id: state.Id32(id)}, Src: &oxusercopy.Context{Id: state.Id32(10)},
		Dest: &oxusercopy.Context{Id: state.Id32(20)},
		Auth: &oxusercopy.Credentials{Login: masterAuth.Login, Password: masterAuth.Password}}
	var out oxusercopy.CopyUserResponse
	b.ok(oxusercopy.OpCopyUser, req, &out)
	u, ok := b.state.User(20, "mia")
	if !ok || int(u.ID) != state.Number(out.Return_.Id) || u.Password != "pw-mia" || u.BookOpen || len(u.Groups) != 0 ||
		!slices.Equal(u.Data.Files, data.Files) || u.Data.DriveBytes != data.DriveBytes || u.Data.UISettings != "" ||
		u.Data.SharedFiles != nil {
		t.Errorf("the copy is %+v", u)
	}
	if _, ok := b.state.User(10, "mia"); !ok {
		t.Error("the source is gone")
	}
	b.refused("StorageException", "UCP-0011", oxusercopy.OpCopyUser, req, &out)
	req.User.Name = new("mia")
	b.refused("UserExistsException", "User mia already exists in context 20", oxusercopy.OpCopyUser, req, &out)
	b.ok(oxgroup.OpAddMember, &oxgroup.AddMember{Ctx: &oxgroup.Context{Id: state.Id32(20)},
		Grp:     &oxgroup.Group{Id: state.Id32(1)},
		Members: []*oxgroup.User{{Id: state.Id32(u.ID)}}, Auth: &oxgroup.Credentials{Login: new("oxadmin"),
			Password: new("secret")}}, nil)
}

// TestCapacity: a full context takes nobody, neither made nor copied.
func TestCapacity(t *testing.T) {
	t.Parallel()
	b := start(t, WithCapacity(2))
	full := "Maximum number of users per context reached: 2"
	id := b.create(10, person("a"))
	b.create(10, person("b"))
	b.refused("StorageException", full, oxuser.OpCreate, &oxuser.Create{Ctx: userCtx(10), Usrdata: person("c"),
		Auth: adminAuth}, new(oxuser.CreateResponse))
	other := b.create(20, person("d"))
	copyOf := func(id, from, to int) *oxusercopy.CopyUser {
		return &oxusercopy.CopyUser{User: &oxusercopy.User{Id: state.Id32(id)},
			Src:  &oxusercopy.Context{Id: state.Id32(from)},
			Dest: &oxusercopy.Context{Id: state.Id32(to)},
			Auth: &oxusercopy.Credentials{Login: masterAuth.Login, Password: masterAuth.Password}}
	}
	b.refused("StorageException", full, oxusercopy.OpCopyUser, copyOf(other, 20, 10), new(oxusercopy.CopyUserResponse))
	b.ok(oxusercopy.OpCopyUser, copyOf(id, 10, 20), new(oxusercopy.CopyUserResponse))
	b.ok(oxuser.OpDelete, &oxuser.Delete{Ctx: userCtx(10), User: &oxuser.User{Id: state.Id32(id)}, Auth: adminAuth}, nil)
	b.create(10, person("c"))
}
