package conformance

import (
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ox"
	"github.com/ictmedia/schoolmail/ox/internal/oxcontext"
	"github.com/ictmedia/schoolmail/ox/internal/oxuser"
)

const (
	kindStorage     = "StorageException"
	kindData        = "InvalidDataException"
	kindCredentials = "InvalidCredentialsException"
	kindNoUser      = "NoSuchUserException"
	kindNoContext   = "NoSuchContextException"
)

// rawPerson is a create request in the first context.
func (r *run) rawPerson(name string, f func(u *oxuser.User)) *oxuser.Create {
	mail := name + "@conformance.example"
	u := &oxuser.User{Name: &name, Password: new("pw-1x9"), Display_name: new("Display " + name),
		Given_name: new("Given"), Sur_name: new("Family"),
		PrimaryEmail: &mail, Email1: &mail}
	if f != nil {
		f(u)
	}
	return &oxuser.Create{Ctx: r.userCtx(r.a), Usrdata: u, Auth: r.userAuth()}
}

// create sends a raw create and returns the answer.
func (r *run) create(req *oxuser.Create) (*oxuser.User, error) {
	var out oxuser.CreateResponse
	err := r.raw.Call(r.ctx, oxuser.OpCreate, req, &out)
	return out.Return_, err
}

// createRefused is the check that a create with f applied is refused.
func createRefused(text string, f func(u *oxuser.User), kinds ...string) func(r *run) error {
	return func(r *run) error {
		_, err := r.create(r.rawPerson(r.name(), f))
		return wants(err, text, kinds...)
	}
}

func text(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}

var userFacts = []Fact{
	{"password-echo", "create answers the clear text password, getData never", func(r *run) error {
		made, err := r.create(r.rawPerson(r.name(), nil))
		if err != nil {
			return err
		}
		got, err := r.get(schoolmail.UserID(*made.Id))
		if err != nil {
			return err
		}
		if text(made.Password) != "pw-1x9" || got.Password != nil {
			return errorf("create answers a password: %v, getData: %v", made.Password != nil, got.Password != nil)
		}
		return nil
	}},
	{"aliases-completed", "the primary address is added to the aliases", func(r *run) error {
		made, err := r.create(r.rawPerson(r.name(), func(u *oxuser.User) { u.Aliases = []string{"alias" + *u.PrimaryEmail} }))
		if err != nil {
			return err
		}
		got, err := r.get(schoolmail.UserID(*made.Id))
		if err == nil && (len(got.Aliases) != 2 || !slices.Contains(got.Aliases, *got.PrimaryEmail) ||
			text(got.DefaultSenderAddress) != *got.PrimaryEmail) {
			err = errorf("aliases %v, default sender %s", got.Aliases, text(got.DefaultSenderAddress))
		}
		return err
	}},
	{"login-case", "login names that differ in case are two users", func(r *run) error {
		n := r.name()
		if _, err := r.create(r.rawPerson(n, nil)); err != nil {
			return err
		}
		_, err := r.create(r.rawPerson(strings.ToUpper(n), func(u *oxuser.User) {
			u.Display_name, u.PrimaryEmail, u.Email1 = new("Other "+n), new("other"+n+"@conformance.example"),
				new("other"+n+"@conformance.example")
		}))
		return err
	}},
	{"login-taken", "a login name is given once", func(r *run) error {
		n := r.name()
		if _, err := r.create(r.rawPerson(n, nil)); err != nil {
			return err
		}
		_, err := r.create(r.rawPerson(n, func(u *oxuser.User) {
			u.Display_name, u.PrimaryEmail, u.Email1 = new("Other "+n), new("other"+n+"@conformance.example"),
				new("other"+n+"@conformance.example")
		}))
		return wants(err, "User "+n+" already exists in this context", kindData)
	}},
	{"display-name-taken", "a display name is given once", func(r *run) error {
		n := r.name()
		if _, err := r.create(r.rawPerson(n, nil)); err != nil {
			return err
		}
		_, err := r.create(r.rawPerson(r.name(), func(u *oxuser.User) { u.Display_name = new("Display " + n) }))
		return wants(err, "The displayname is already used", kindData)
	}},
	{"display-name-case", "a display name that differs in case only fails at the Drive folder", func(r *run) error {
		n := r.name()
		if _, err := r.create(r.rawPerson(n, nil)); err != nil {
			return err
		}
		_, err := r.create(r.rawPerson(r.name(), func(u *oxuser.User) { u.Display_name = new("DISPLAY " + n) }))
		return wants(err, "FLD-0075", kindStorage)
	}},
	{"address-taken", "a primary address is given once, ignoring case", func(r *run) error {
		n := r.name()
		if _, err := r.create(r.rawPerson(n, nil)); err != nil {
			return err
		}
		_, err := r.create(r.rawPerson(r.name(), func(u *oxuser.User) {
			u.PrimaryEmail = new(strings.ToUpper(n) + "@conformance.example")
			u.Email1 = u.PrimaryEmail
		}))
		return wants(err, "Primary mail address", kindData)
	}},
	{"alias-not-compared", "an alias may be another's primary address", func(r *run) error {
		n := r.name()
		if _, err := r.create(r.rawPerson(n, nil)); err != nil {
			return err
		}
		_, err := r.create(r.rawPerson(r.name(), func(u *oxuser.User) { u.Aliases = []string{n + "@conformance.example"} }))
		return err
	}},
	{"address-per-context", "primary addresses are compared within a context only", func(r *run) error {
		n := r.name()
		if _, err := r.create(r.rawPerson(n, nil)); err != nil {
			return err
		}
		req := r.rawPerson(n, nil)
		req.Ctx = r.userCtx(r.b)
		_, err := r.create(req)
		return err
	}},
	{"create-needs-sur-name", "create needs sur_name", createRefused("Mandatory fields not set: [sur_name]",
		func(u *oxuser.User) { u.Sur_name = nil }, kindData)},
	{"create-needs-password", "create needs a password", createRefused("Empty password is not allowed.",
		func(u *oxuser.User) { u.Password = new("") }, kindData)},
	{"create-email1", "email1 must be the primary address, exactly",
		createRefused("primarymail must have the same value as email1",
			func(u *oxuser.User) { u.Email1 = new(strings.ToUpper(*u.Email1)) }, kindData)},
	{"create-umlaut", "an umlaut in a login name is refused", createRefused("Illegal chars",
		func(u *oxuser.User) { u.Name = new(*u.Name + "ä") }, kindData)},
	{"create-address-syntax", "an address with a blank is refused",
		createRefused("Invalid email address", func(u *oxuser.User) { u.Aliases = []string{"a b@x.y"} }, kindData)},
	{"create-language", "a language needs an underscore", createRefused("Language must contain an underscore",
		func(u *oxuser.User) { u.Language = new("de") }, kindData)},
	{"create-timezone", "an unknown time zone is refused", createRefused("The given timezone is invalid",
		func(u *oxuser.User) { u.Timezone = new("Nowhere/Here") }, kindData)},
	{"create-mech", "an unknown password mechanism is refused", createRefused("Invalid PasswordMech",
		func(u *oxuser.User) { u.PasswordMech = new("MD5") }, kindData)},
	{"create-id-ignored", "an id in create is ignored", func(r *run) error {
		made, err := r.create(r.rawPerson(r.name(), func(u *oxuser.User) { u.Id = new(int32(1 << 20)) }))
		if err == nil && *made.Id >= 1<<20 {
			err = errorf("got id %d", *made.Id)
		}
		return err
	}},
	{"id-not-reused", "an id is not given again", func(r *run) error {
		u, err := r.user()
		if err != nil {
			return err
		}
		if err := r.a.Users.Delete(r.ctx, ox.Reassign{}, ox.UserRef{ID: u.ID}); err != nil {
			return err
		}
		again, err := r.a.Users.Create(r.ctx, r.person(u.Name))
		if err == nil && again.ID <= u.ID {
			err = errorf("id %d after %d", again.ID, u.ID)
		}
		return err
	}},
	{"delete-missing", "deleting an unknown user is NoSuchUserException", func(r *run) error {
		return wants(r.raw.Call(r.ctx, oxuser.OpDelete, &oxuser.Delete{Ctx: r.userCtx(r.a),
			User: &oxuser.User{Id: new(int32(1 << 20))}, Auth: r.userAuth()}, nil),
			"No such user", kindNoUser)
	}},
	{"delete-admin", "the context admin cannot be deleted", func(r *run) error {
		return wants(r.raw.Call(r.ctx, oxuser.OpDelete, &oxuser.Delete{Ctx: r.userCtx(r.a),
			User: &oxuser.User{Name: new(adminLogin)}, Auth: r.userAuth()}, nil),
			"Admin delete not supported", kindData)
	}},
	{"delete-multiple-atomic", "deleteMultiple deletes all or none", func(r *run) error {
		u, err := r.user()
		if err != nil {
			return err
		}
		err = r.raw.Call(r.ctx, oxuser.OpDeleteMultiple, &oxuser.DeleteMultiple{Ctx: r.userCtx(r.a), Auth: r.userAuth(),
			Users: []*oxuser.User{{Id: new(int32(u.ID))}, {Id: new(int32(1 << 20))}}}, nil)
		if err := wants(err, "", kindNoUser); err != nil {
			return err
		}
		_, err = r.get(u.ID)
		return err
	}},
	{"multiple-fails-whole", "getMultipleData fails as a whole for one unknown id", func(r *run) error {
		u, err := r.user()
		if err != nil {
			return err
		}
		return wants(r.raw.Call(r.ctx, oxuser.OpGetMultipleData, &oxuser.GetMultipleData{Ctx: r.userCtx(r.a),
			Auth:  r.userAuth(),
			Users: []*oxuser.User{{Id: new(int32(u.ID))}, {Id: new(int32(1 << 20))}}}, new(oxuser.GetMultipleDataResponse)),
			"", kindNoUser)
	}},
	{"exists-by-display-name", "exists finds a user by display name too", func(r *run) error {
		u, err := r.user()
		if err != nil {
			return err
		}
		var out oxuser.ExistsResponse
		err = r.raw.Call(r.ctx, oxuser.OpExists, &oxuser.Exists{Ctx: r.userCtx(r.a),
			User: &oxuser.User{Display_name: &u.DisplayName}, Auth: r.userAuth()}, &out)
		if err == nil && !*out.Return_ {
			err = errorf("not found")
		}
		return err
	}},
	{"page-by-id", "list with length and offset is a page ordered by id", func(r *run) error {
		for range 2 {
			if _, err := r.user(); err != nil {
				return err
			}
		}
		var out oxuser.ListResponse
		err := r.raw.Call(r.ctx, oxuser.OpList, &oxuser.List{Ctx: r.userCtx(r.a), Search_pattern: new("*"),
			Auth:   r.userAuth(),
			Length: new(int32(2)), Offset: new(int32(1))}, &out)
		if err == nil && (len(out.Return_) != 2 || *out.Return_[0].Id >= *out.Return_[1].Id || *out.Return_[0].Id == 2) {
			err = errorf("got %d users", len(out.Return_))
		}
		return err
	}},
	{"page-length-zero", "list with length 0 is empty", func(r *run) error {
		var out oxuser.ListResponse
		err := r.raw.Call(r.ctx, oxuser.OpList, &oxuser.List{Ctx: r.userCtx(r.a), Search_pattern: new("*"),
			Auth: r.userAuth(), Length: new(int32(0))}, &out)
		if err == nil && len(out.Return_) != 0 {
			err = errorf("got %d users", len(out.Return_))
		}
		return err
	}},
	{"wrong-password", "a wrong password is Authentication failed", func(r *run) error {
		return wants(r.raw.Call(r.ctx, oxuser.OpListAll, &oxuser.ListAll{Ctx: r.userCtx(r.a),
			Auth: &oxuser.Credentials{Login: new(adminLogin), Password: new("wrong")}}, new(oxuser.ListAllResponse)),
			"Authentication failed", kindCredentials)
	}},
	{"missing-context", "a missing context is Authentication failed in listAll", func(r *run) error {
		return wants(r.raw.Call(r.ctx, oxuser.OpListAll,
			&oxuser.ListAll{Ctx: &oxuser.Context{Id: new(int32(r.a.ID() + 1<<20))}, Auth: r.userAuth()},
			new(oxuser.ListAllResponse)), "Authentication failed", kindCredentials)
	}},
	{"missing-context-change", "a missing context is NoSuchContextException in change", func(r *run) error {
		return wants(r.raw.Call(r.ctx, oxuser.OpChange, &oxuser.Change{Ctx: &oxuser.Context{Id: new(int32(r.a.ID() + 1<<20))},
			Usrdata: &oxuser.User{Id: new(int32(2))}, Auth: r.userAuth()}, nil), "does not exist", kindNoContext)
	}},
	{"unknown-login-change", "an unknown login is No such user in change", func(r *run) error {
		return wants(r.raw.Call(r.ctx, oxuser.OpChange, &oxuser.Change{Ctx: r.userCtx(r.a),
			Usrdata: &oxuser.User{Id: new(int32(2))},
			Auth:    &oxuser.Credentials{Login: new("nobody-here"), Password: new("x")}}, nil), "No such user nobody-here",
			kindNoUser)
	}},
	{"unknown-login-get", "an unknown login is a StorageException in getData", func(r *run) error {
		return wants(r.raw.Call(r.ctx, oxuser.OpGetData, &oxuser.GetData{Ctx: r.userCtx(r.a),
			User: &oxuser.User{Id: new(int32(2))},
			Auth: &oxuser.Credentials{Login: new("nobody-here"), Password: new("x")}}, new(oxuser.GetDataResponse)),
			"No such user nobody-here", kindStorage)
	}},
	{"self-service", "a user reads himself, and nobody else", func(r *run) error {
		u, err := r.user()
		if err != nil {
			return err
		}
		self := &oxuser.Credentials{Login: &u.Name, Password: new("pw-1x9")}
		get := func(id schoolmail.UserID) error {
			return r.raw.Call(r.ctx, oxuser.OpGetData, &oxuser.GetData{Ctx: r.userCtx(r.a),
				User: &oxuser.User{Id: new(int32(id))}, Auth: self}, new(oxuser.GetDataResponse))
		}
		if err := get(u.ID); err != nil {
			return err
		}
		return wants(get(2), "Permission denied", kindCredentials)
	}},
	{"context-admin-not-master", "context operations refuse a context admin", func(r *run) error {
		return wants(r.raw.Call(r.ctx, oxcontext.OpGetAdminId,
			&oxcontext.GetAdminId{Ctx: &oxcontext.Context{Id: new(int32(r.a.ID()))},
				Auth: &oxcontext.Credentials{Login: new(adminLogin), Password: new(adminPassword)}},
			new(oxcontext.GetAdminIdResponse)), "Authentication failed", kindCredentials)
	}},
	{"incident-ids", "a business fault has a detail and an incident id", func(r *run) error {
		f, err := fault(r.raw.Call(r.ctx, oxuser.OpListAll, &oxuser.ListAll{Ctx: r.userCtx(r.a)},
			new(oxuser.ListAllResponse)))
		if err == nil && (f.Kind == "" || len(f.ExceptionIDs) == 0 || f.Status != 500) {
			err = f
		}
		return err
	}},
	{"lookup-by-name", "a failing lookup by name has three incident ids and NoSuchObjectException in front",
		func(r *run) error {
			err := r.raw.Call(r.ctx, oxuser.OpGetModuleAccess, &oxuser.GetModuleAccess{Ctx: r.userCtx(r.a),
				User: &oxuser.User{Name: new("nobody-here")}, Auth: r.userAuth()},
				new(oxuser.GetModuleAccessResponse))
			f, bad := fault(err)
			if bad == nil && (len(f.ExceptionIDs) != 3 || !strings.HasPrefix(f.Message,
				"com.openexchange.admin.rmi.exceptions.NoSuchObjectException")) {
				bad = f
			}
			return bad
		}},
}
