package oxtest

import (
	"context"
	"slices"
	"testing"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/internal/xsd"
	"github.com/ictmedia/schoolmail/ox/internal/oxcontext"
	"github.com/ictmedia/schoolmail/ox/internal/oxuser"
	"github.com/ictmedia/schoolmail/ox/oxtest/internal/soapapi"
	"github.com/ictmedia/schoolmail/ox/oxtest/internal/state"
)

// with returns a person after f has changed the request.
func with(name string, f func(u *oxuser.User)) *oxuser.User {
	u := person(name)
	f(u)
	return u
}

var png = xsd.Base64("\x89PNG\x0D\x0A\x1A\x0A rest")

func TestCreateRefusals(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.create(10, person("mia"))
	type user = oxuser.User
	for _, tt := range []struct {
		name, kind, text string
		in               *oxuser.User
	}{
		{"no login", "InvalidDataException", "Mandatory fields not set: [name]", with("x1", func(u *user) { u.Name = nil })},
		{"no display name", "InvalidDataException", "Mandatory fields not set: [display_name]",
			with("x1", func(u *user) { u.Display_name = nil })},
		{"no given name", "InvalidDataException", "Mandatory fields not set: [given_name]",
			with("x1", func(u *user) { u.Given_name = nil })},
		{"no surname", "InvalidDataException", "Mandatory fields not set: [sur_name]",
			with("x1", func(u *user) { u.Sur_name = new("") })},
		{"no primary address", "InvalidDataException", "Mandatory fields not set: [primaryEmail]",
			with("x1", func(u *user) { u.PrimaryEmail = nil })},
		{"no email1", "InvalidDataException", "Mandatory fields not set: [email1]",
			with("x1", func(u *user) { u.Email1 = nil })},
		{"no password", "InvalidDataException", "Empty password is not allowed.",
			with("x1", func(u *user) { u.Password = nil })},
		{"empty password", "InvalidDataException", "Empty password is not allowed.",
			with("x1", func(u *user) { u.Password = new("") })},
		{"login taken", "InvalidDataException", "User mia already exists in this context", with("mia", func(u *user) {
			u.Display_name, u.PrimaryEmail, u.Email1 = new("d"), new("d@x.y"), new("d@x.y")
		})},
		{"display name taken", "InvalidDataException", "The displayname is already used",
			with("x1", func(u *user) { u.Display_name = new("Display mia") })},
		{"display name taken but for case", "StorageException", "FLD-0075",
			with("x1", func(u *user) { u.Display_name = new("DISPLAY mia") })},
		{"address taken", "InvalidDataException",
			`Primary mail address "MIA@school.example" already exists in context 10 (Already assigned to user 3).`,
			with("x1", func(u *user) { u.PrimaryEmail, u.Email1 = new("MIA@school.example"), new("MIA@school.example") })},
		{"email1 differs", "InvalidDataException", "primarymail must have the same value as email1",
			with("x1", func(u *user) { u.Email1 = new("X1@school.example") })},
		{"login with blank", "InvalidDataException", `Illegal chars: " "`, with("x1", func(u *user) { u.Name = new("x 1") })},
		{"login with umlaut", "InvalidDataException", `Illegal chars: "ä"`, with("x1", func(u *user) { u.Name = new("xä") })},
		{"address with blank", "InvalidDataException", "Invalid email address: a b@x.y",
			with("x1", func(u *user) { u.Aliases = []string{"a b@x.y"} })},
		{"address with two ats", "InvalidDataException", "Invalid email address: a@@b",
			with("x1", func(u *user) { u.Aliases = []string{"a@@b"} })},
		{"address without local part", "InvalidDataException", "Invalid email address: @x",
			with("x1", func(u *user) { u.Aliases = []string{"@x"} })},
		{"address without domain", "InvalidDataException", "Invalid email address: a@",
			with("x1", func(u *user) { u.Aliases = []string{"a@"} })},
		{"address with umlaut", "InvalidDataException", "Invalid email address: ü@x.y",
			with("x1", func(u *user) { u.Aliases = []string{"ü@x.y"} })},
		{"language", "InvalidDataException", "language must contain an underscore, e.g. en_US",
			with("x1", func(u *user) { u.Language = new("de") })},
		{"time zone", "InvalidDataException", "The given timezone is invalid",
			with("x1", func(u *user) { u.Timezone = new("Europe/Nowhere") })},
		{"password mechanism", "InvalidDataException", "Invalid PasswordMech: MD5. Use one of the following: ",
			with("x1", func(u *user) { u.PasswordMech = new("MD5") })},
		{"permission as capability", "InvalidDataException", "", with("x1", func(u *user) {
			u.UserAttributes = state.AttributesOf(state.Attributes{"config": {"com.openexchange.capability.calendar": "true"}})
		})},
		{"image without type", "StorageException", "imageContentType must not be null",
			with("x1", func(u *user) { u.Image1 = png })},
		{"image of another type", "StorageException", "image/jpeg",
			with("x1", func(u *user) { u.Image1, u.Image1ContentType = png, new("image/jpeg") })},
		{"attribute namespace without map", "StorageException", "", with("x1", func(u *user) {
			u.UserAttributes = &oxuser.SOAPStringMapMap{Entries: []*oxuser.SOAPMapEntry{{Key: new("a")}}}
		})},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := &bench{t, b.Server, b.c}
			b.refused(tt.kind, tt.text, oxuser.OpCreate, &oxuser.Create{Ctx: userCtx(10), Usrdata: tt.in, Auth: adminAuth},
				new(oxuser.CreateResponse))
			if n := len(b.state.Users(10)); n != 2 {
				t.Errorf("%d users in the context", n)
			}
		})
	}
}

func TestCreateAllowed(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.create(10, person("mia"))
	for name, u := range map[string]*oxuser.User{
		"login that differs in case": with("Mia", func(u *oxuser.User) {
			u.Display_name = new("other")
			u.PrimaryEmail, u.Email1 = new("o@x.y"), new("o@x.y")
		}),
		"alias that is someone's": with("x1", func(u *oxuser.User) { u.Aliases = []string{"mia@school.example"} }),
		"address without at": with("x2", func(u *oxuser.User) {
			u.PrimaryEmail, u.Email1 = new("nomail"),
				new("nomail")
		}),
		"image": with("x3", func(u *oxuser.User) {
			u.Image1, u.Image1ContentType = png,
				new("image/png")
		}),
		"id that is ignored":         with("x4", func(u *oxuser.User) { u.Id = state.Id32(4711) }),
		"mechanism in braces":        with("x5", func(u *oxuser.User) { u.PasswordMech = new("{bcrypt}") }),
		"odd but accepted language":  with("x6", func(u *oxuser.User) { u.Language = new("xx_YY") }),
		"address of another context": nil,
		"no Drive folder to clash at": with("x7",
			func(u *oxuser.User) { u.Display_name = new("DISPLAY mia"); u.Drive_folder_mode = new("none") }),
	} {
		ctx := 10
		if u == nil {
			ctx, u = 20, person("mia")
		}
		if id := b.create(ctx, u); id < 3 || id > 20 {
			t.Errorf("%s: got id %d", name, id)
		}
	}
	if u, _ := b.state.User(10, "x5"); u.Fields["passwordMech"] != "{BCRYPT}" {
		t.Errorf("mechanism is %q", u.Fields["passwordMech"])
	}
}

func TestFailedCreateTakesAnID(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.create(10, person("mia")) // 3
	late := with("x1", func(u *oxuser.User) { u.Display_name = new("display mia") })
	b.refused("StorageException", "FLD-0075", oxuser.OpCreate, &oxuser.Create{Ctx: userCtx(10), Usrdata: late,
		Auth: adminAuth}, new(oxuser.CreateResponse))
	if id := b.create(10, person("x2")); id != 5 {
		t.Errorf("got id %d, want 5", id)
	}
}

func TestChangeRules(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, kind, text string // kind "" means that the change is accepted
		in               oxuser.User
		want             func(User) bool
	}{
		{"nothing", "", "", oxuser.User{}, nil},
		{"present name", "", "", oxuser.User{Name: new("mia")}, nil},
		{"other name", "InvalidDataException", "Changing username is disabled!", oxuser.User{Name: new("mia2")}, nil},
		{"contact field cleared", "", "", oxuser.User{Department: new("")},
			func(u User) bool { v, ok := u.Fields["department"]; return ok && v == "" }},
		{"mandatory names cleared", "", "", oxuser.User{Given_name: new(""), Sur_name: new(""), Display_name: new("")},
			func(u User) bool { return u.GivenName == "" && u.Surname == "" && u.DisplayName == "" }},
		{"display name of another", "InvalidDataException", "The displayname is already used",
			oxuser.User{Display_name: new("Display tom")}, nil},
		{"own display name in other case", "", "", oxuser.User{Display_name: new("DISPLAY MIA")}, nil},
		{"empty password", "", "", oxuser.User{Password: new("")}, func(u User) bool { return u.Password == "pw-mia" }},
		{"password", "", "", oxuser.User{Password: new("neu"), PasswordMech: new("sha")},
			func(u User) bool { return u.Password == "neu" && u.Fields["passwordMech"] == "{SHA}" }},
		{"mechanism alone", "InvalidDataException", "the password string must also be supplied",
			oxuser.User{PasswordMech: new("SHA")}, nil},
		{"empty language", "InvalidDataException", "Language must contain an underscore", oxuser.User{Language: new("")},
			nil},
		{"empty time zone", "InvalidDataException", "The given timezone is invalid", oxuser.User{Timezone: new("")}, nil},
		{"empty primary address", "InvalidDataException", "must be present in set of aliases",
			oxuser.User{PrimaryEmail: new("")}, nil},
		{"primary without email1", "InvalidDataException", "email1 not sent but required!",
			oxuser.User{PrimaryEmail: new("n@x.y"), Aliases: []string{"n@x.y", "mia@school.example"}}, nil},
		{"primary unlike email1", "InvalidDataException", "email1 not equal with primarymail!",
			oxuser.User{PrimaryEmail: new("n@x.y"), Email1: new("m@x.y"),
				Aliases: []string{"n@x.y", "m@x.y", "mia@school.example"}}, nil},
		{"primary without alias", "InvalidDataException", "must be present in set of aliases",
			oxuser.User{PrimaryEmail: new("n@x.y"), Email1: new("n@x.y")}, nil},
		{"primary without default sender", "InvalidDataException", "must be present in set of aliases",
			oxuser.User{PrimaryEmail: new("n@x.y"), Email1: new("n@x.y"), Aliases: []string{"n@x.y"}}, nil},
		{"primary complete", "", "", oxuser.User{PrimaryEmail: new("n@x.y"), Email1: new("N@x.y"),
			DefaultSenderAddress: new("n@x.y"), Aliases: []string{"n@x.y"}},
			func(u User) bool { return u.PrimaryEmail == "n@x.y" && slices.Equal(u.Aliases, []string{"n@x.y"}) }},
		{"primary, old address stays", "", "", oxuser.User{PrimaryEmail: new("n@x.y"), Email1: new("n@x.y"),
			Aliases: []string{"n@x.y", "mia@school.example"}}, nil},
		{"primary of another", "InvalidDataException", "Already assigned to user 4",
			oxuser.User{PrimaryEmail: new("tom@school.example"), Email1: new("tom@school.example"),
				DefaultSenderAddress: new("tom@school.example"), Aliases: []string{"tom@school.example"}}, nil},
		{"email1 to another alias", "", "", oxuser.User{Email1: new("mia2@school.example")},
			func(u User) bool { return u.Email1 == "mia2@school.example" && u.PrimaryEmail == "mia@school.example" }},
		{"email1 to no alias", "InvalidDataException", "must be present in set of aliases",
			oxuser.User{Email1: new("q@x.y")}, nil},
		{"aliases without the primary", "InvalidDataException", "must be present in set of aliases",
			oxuser.User{Aliases: []string{"q@x.y"}}, nil},
		{"aliases replaced", "", "", oxuser.User{Aliases: []string{"MIA@school.example", "q@x.y"}},
			func(u User) bool { return slices.Equal(u.Aliases, []string{"MIA@school.example", "q@x.y"}) }},
		{"attributes merged", "", "", oxuser.User{UserAttributes: state.AttributesOf(state.Attributes{"config": {"k": "v"},
			"x": {"y": ""}})},
			func(u User) bool {
				v, ok := u.Attributes["x"]["y"]
				return u.Attributes["config"]["k"] == "v" && u.Attributes["config"][state.SpecialUse] == "true" && ok && v == ""
			}},
		{"attribute removed", "", "",
			oxuser.User{UserAttributes: &oxuser.SOAPStringMapMap{Entries: []*oxuser.SOAPMapEntry{{Key: new("config"),
				Value: &oxuser.SOAPStringMap{Entries: []*oxuser.Entry{{Key: new(state.SpecialUse)}}}}}}},
			func(u User) bool { _, ok := u.Attributes["config"][state.SpecialUse]; return !ok }},
		{"quota without file store", "StorageException", "", oxuser.User{MaxQuota: new(int64(10))}, nil},
		{"file store", "StorageException", "", oxuser.User{FilestoreId: state.Id32(7)}, nil},
		{"used quota", "", "", oxuser.User{UsedQuota: new(int64(10))}, nil},
		{"port alone", "", "", oxuser.User{ImapPort: state.Id32(99)}, func(u User) bool {
			_,
				ok := u.Fields["imapServerString"]
			return !ok
		}},
		{"smtp server with port", "", "", oxuser.User{SmtpServer: new("mail.example"), SmtpPort: state.Id32(465)},
			func(u User) bool { return u.Fields["smtpServerString"] == "smtps://mail.example:465" }},
		{"image without type", "StorageException", "imageContentType", oxuser.User{Image1: png}, nil},
		{"empty image", "", "", oxuser.User{Image1: xsd.Base64{}}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := start(t)
			b.create(10, with("mia", func(u *oxuser.User) { u.Aliases = []string{"mia2@school.example"} }))
			b.create(10, person("tom"))
			before, _ := b.state.User(10, "mia")
			in := tt.in
			in.Id = state.Id32(3)
			req := &oxuser.Change{Ctx: userCtx(10), Usrdata: &in, Auth: adminAuth}
			if tt.kind != "" {
				b.refused(tt.kind, tt.text, oxuser.OpChange, req, nil)
				if after, _ := b.state.User(10, "mia"); after.PrimaryEmail != before.PrimaryEmail ||
					!slices.Equal(after.Aliases, before.Aliases) || after.Password != before.Password {
					t.Errorf("the refused change left %+v", after)
				}
				return
			}
			b.ok(oxuser.OpChange, req, nil)
			if after, _ := b.state.User(10, "mia"); tt.want != nil && !tt.want(after) {
				t.Errorf("got %+v", after)
			}
		})
	}
}

func TestWhoMay(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.create(10, person("mia"))
	b.create(10, person("tom"))
	mia := &oxuser.Credentials{Login: new("mia"), Password: new("pw-mia")}
	master := &oxuser.Credentials{Login: masterAuth.Login, Password: masterAuth.Password}
	change := func(ctx, id int, auth *oxuser.Credentials) *oxuser.Change {
		return &oxuser.Change{Ctx: userCtx(ctx), Usrdata: &oxuser.User{Id: state.Id32(id), Note: new("n")}, Auth: auth}
	}
	get := func(ctx, id int, auth *oxuser.Credentials) *oxuser.GetData {
		return &oxuser.GetData{Ctx: userCtx(ctx), User: &oxuser.User{Id: state.Id32(id)}, Auth: auth}
	}
	b.ok(oxuser.OpChange, change(10, 3, mia), nil)
	b.ok(oxuser.OpGetData, get(10, 3, mia), new(oxuser.GetDataResponse))
	b.refused("InvalidCredentialsException", "Permission denied", oxuser.OpChange, change(10, 4, mia), nil)
	b.refused("InvalidCredentialsException", "Permission denied", oxuser.OpGetData, get(10, 4, mia),
		new(oxuser.GetDataResponse))
	// The login is looked up as a user before the password counts.
	b.refused("NoSuchUserException", "No such user oxadminmaster in context 10", oxuser.OpChange, change(10, 3, master),
		nil)
	b.refused("StorageException", "No such user oxadminmaster in context 10", oxuser.OpGetData, get(10, 3, master),
		new(oxuser.GetDataResponse))
	b.refused("NoSuchContextException", "The context 99 does not exist!", oxuser.OpChange, change(99, 3, adminAuth), nil)
	b.refused("NoSuchContextException", "The context 99 does not exist!", oxuser.OpGetData, get(99, 3, adminAuth),
		new(oxuser.GetDataResponse))
	b.refused("InvalidCredentialsException", "Authentication failed", oxuser.OpChange,
		change(10, 3, &oxuser.Credentials{Login: new("oxadmin"), Password: new("x")}), nil)
	// The others authenticate first.
	list := &oxuser.ListAll{Ctx: userCtx(99), Auth: adminAuth}
	b.refused("InvalidCredentialsException", "Authentication failed", oxuser.OpListAll, list, new(oxuser.ListAllResponse))
	list.Ctx, list.Auth = userCtx(10), mia
	b.refused("InvalidCredentialsException", "Authentication failed", oxuser.OpListAll, list, new(oxuser.ListAllResponse))
	list.Auth = master
	b.refused("InvalidCredentialsException", "Authentication failed", oxuser.OpListAll, list, new(oxuser.ListAllResponse))
	list.Ctx = &oxuser.Context{}
	b.refused("InvalidCredentialsException", "Client sent invalid context data object", oxuser.OpListAll, list,
		new(oxuser.ListAllResponse))
	list.Ctx, list.Auth = userCtx(10), nil
	b.refused("InvalidCredentialsException", "Authentication failed", oxuser.OpListAll, list, new(oxuser.ListAllResponse))
	// Context operations are for the master, but for getData.
	asAdmin := &oxcontext.Credentials{Login: new("oxadmin"), Password: new("secret")}
	ctx := &oxcontext.Context{Id: state.Id32(10)}
	b.refused("InvalidCredentialsException", "Authentication failed", oxcontext.OpGetAdminId,
		&oxcontext.GetAdminId{Ctx: ctx, Auth: asAdmin}, new(oxcontext.GetAdminIdResponse))
	b.ok(oxcontext.OpGetData, &oxcontext.GetData{Ctx: ctx, Auth: asAdmin}, new(oxcontext.GetDataResponse))
}

func TestLookups(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.create(10, person("mia"))
	b.create(10, person("tom"))
	multi := func(us ...*oxuser.User) *oxuser.GetMultipleData {
		return &oxuser.GetMultipleData{Ctx: userCtx(10), Users: us, Auth: adminAuth}
	}
	var out oxuser.GetMultipleDataResponse
	b.ok(oxuser.OpGetMultipleData, multi(&oxuser.User{Id: state.Id32(3)}, &oxuser.User{Name: new("tom")},
		&oxuser.User{Id: state.Id32(3)}), &out)
	if len(out.Return_) != 3 || state.Text(out.Return_[1].Name) != "tom" || state.Text(out.Return_[2].Name) != "mia" {
		t.Errorf("getMultipleData answers %+v", out.Return_)
	}
	b.refused("NoSuchUserException", "No such user(s) 3, 99 in context 10", oxuser.OpGetMultipleData,
		multi(&oxuser.User{Id: state.Id32(3)}, &oxuser.User{Id: state.Id32(99)}), &out)
	b.refused("NoSuchUserException", "com.openexchange.admin.rmi.exceptions.NoSuchObjectException: ",
		oxuser.OpGetMultipleData, multi(&oxuser.User{Name: new("zz")}), &out)
	b.refused("InvalidDataException", "", oxuser.OpGetMultipleData, multi(), &out)
	var f *soap.Fault
	err := b.call(oxuser.OpGetModuleAccess, &oxuser.GetModuleAccess{Ctx: userCtx(10),
		User: &oxuser.User{Name: new("zz")}, Auth: adminAuth}, new(oxuser.GetModuleAccessResponse))
	if !asFault(err, &f) || len(f.ExceptionIDs) != 3 {
		t.Errorf("lookup by name: got %v", err)
	}
	b.refused("NoSuchUserException", "No such user zz in context 10", oxuser.OpGetData,
		&oxuser.GetData{Ctx: userCtx(10), User: &oxuser.User{Name: new("zz")}, Auth: adminAuth}, new(oxuser.GetDataResponse))
	b.refused("InvalidDataException", "Username and userid missing.", oxuser.OpGetData,
		&oxuser.GetData{Ctx: userCtx(10), User: &oxuser.User{Display_name: new("Display mia")}, Auth: adminAuth},
		new(oxuser.GetDataResponse))

	ids := func(l []*oxuser.User) []int {
		var out []int
		for _, u := range l {
			out = append(out, state.Number(u.Id))
		}
		return out
	}
	list := func(pattern string, length, offset *int32) []int {
		var out oxuser.ListResponse
		b.ok(oxuser.OpList, &oxuser.List{Ctx: userCtx(10), Search_pattern: &pattern, Auth: adminAuth, Length: length,
			Offset: offset}, &out)
		return ids(out.Return_)
	}
	for _, tt := range []struct {
		name, pattern  string
		length, offset *int32
		want           []int
	}{
		{"all, not by id", "*", nil, nil, []int{3, 2, 4}},
		{"empty pattern", "", nil, nil, []int{3, 2, 4}},
		{"wildcard", "m*", nil, nil, []int{3}},
		{"case of the login counts", "M*", nil, nil, nil},
		{"display name", "Display t*", nil, nil, []int{4}},
		{"sql wildcard", "%m_a", nil, nil, []int{3}},
		{"page by id", "*", state.Id32(2), state.Id32(1), []int{3, 4}},
		{"length zero", "*", state.Id32(0), nil, nil},
		{"offset alone is ignored", "*", nil, state.Id32(2), []int{3, 2, 4}},
		{"beyond the end", "*", state.Id32(5), state.Id32(9), nil},
	} {
		if got := list(tt.pattern, tt.length, tt.offset); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
	var byDomain oxuser.ListByAliasDomainResponse
	b.ok(oxuser.OpListByAliasDomain, &oxuser.ListByAliasDomain{Ctx: userCtx(10), Alias_domain: new("school.example"),
		Auth: adminAuth}, &byDomain)
	if got := ids(byDomain.Return_); !slices.Equal(got, []int{3, 4}) {
		t.Errorf("by alias domain: got %v", got)
	}
	b.refused("StorageException", "SQL", oxuser.OpListByAliasDomain,
		&oxuser.ListByAliasDomain{Ctx: userCtx(10), Alias_domain: new("x"), Auth: adminAuth, Length: state.Id32(1)},
		&byDomain)
	var insensitive oxuser.ListCaseInsensitiveResponse
	b.ok(oxuser.OpListCaseInsensitive, &oxuser.ListCaseInsensitive{Ctx: userCtx(10), Search_pattern: new("MI*"),
		Auth: adminAuth}, &insensitive)
	if got := ids(insensitive.Return_); !slices.Equal(got, []int{3}) {
		t.Errorf("ignoring case: got %v", got)
	}
	for _, tt := range []struct {
		u    oxuser.User
		want bool
	}{{oxuser.User{Id: state.Id32(3)}, true}, {oxuser.User{Name: new("mia")}, true},
		{oxuser.User{Name: new("MIA")}, false},
		{oxuser.User{Display_name: new("Display mia")}, true}, {oxuser.User{Id: state.Id32(9)}, false}} {
		var out oxuser.ExistsResponse
		b.ok(oxuser.OpExists, &oxuser.Exists{Ctx: userCtx(10), User: &tt.u, Auth: adminAuth}, &out)
		if *out.Return_ != tt.want {
			t.Errorf("exists %+v: got %v", tt.u, *out.Return_)
		}
	}
}

func asFault(err error, f **soap.Fault) bool {
	v, ok := err.(*soap.Fault)
	*f = v
	return ok
}

func TestDelete(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.create(10, person("mia")) // 3
	b.create(10, person("tom")) // 4
	b.create(10, with("heir", func(u *oxuser.User) { u.MaxQuota = new(int64(100)) }))
	if err := b.state.SetData(10, "mia", PersonalData{SharedFiles: []string{"m"}}); err != nil {
		t.Fatal(err)
	}
	if err := b.state.SetData(10, "tom", PersonalData{SharedFiles: []string{"t"}}); err != nil {
		t.Fatal(err)
	}
	del := func(reassign *int32, ids ...int) *oxuser.DeleteMultiple {
		r := &oxuser.DeleteMultiple{Ctx: userCtx(10), Auth: adminAuth, Reassign: reassign}
		for _, id := range ids {
			r.Users = append(r.Users, &oxuser.User{Id: state.Id32(id)})
		}
		return r
	}
	b.refused("InvalidDataException", "Admin delete not supported", oxuser.OpDeleteMultiple, del(nil, 3, 2), nil)
	b.refused("NoSuchUserException", "No such user(s) 3, 99", oxuser.OpDeleteMultiple, del(nil, 3, 99), nil)
	b.refused("InvalidDataException", "", oxuser.OpDeleteMultiple, del(nil, 3, 3), nil)
	b.refused("InvalidDataException", "", oxuser.OpDeleteMultiple, del(state.Id32(4), 3, 4), nil)
	b.refused("InvalidDataException", "is not an owner of a filestore", oxuser.OpDeleteMultiple, del(state.Id32(4), 3),
		nil)
	b.refused("NoSuchUserException", "", oxuser.OpDeleteMultiple, del(state.Id32(77), 3), nil)
	if n := len(b.state.Users(10)); n != 4 {
		t.Fatalf("%d users are left", n)
	}
	b.ok(oxuser.OpDeleteMultiple, del(state.Id32(5), 3), nil)
	b.ok(oxuser.OpDeleteMultiple, del(nil, 4), nil)
	heir, _ := b.state.User(10, "heir")
	admin, _ := b.state.User(10, "oxadmin")
	if !slices.Equal(heir.Data.SharedFiles, []string{"m"}) || !slices.Equal(admin.Data.SharedFiles, []string{"t"}) {
		t.Errorf("inherited: %v and %v", heir.Data.SharedFiles, admin.Data.SharedFiles)
	}
	if g := b.state.Groups(10)[0]; !slices.Equal(g.Members, []schoolmail.UserID{2, 5}) {
		t.Errorf("group 1 has %v", g.Members)
	}
	b.ok(oxuser.OpDeleteMultiple, del(state.Id32(0), 5), nil)
	if admin, _ := b.state.User(10, "oxadmin"); len(admin.Data.SharedFiles) != 1 {
		t.Error("shared data was inherited in spite of reassign 0")
	}
}

func TestAccess(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.create(10, person("mia"))
	id := &oxuser.User{Id: state.Id32(3)}
	byName := func(name string) *oxuser.ChangeByModuleAccessName {
		return &oxuser.ChangeByModuleAccessName{Ctx: userCtx(10), User: id, Access_combination_name: &name, Auth: adminAuth}
	}
	byFlags := func(a *oxuser.UserModuleAccess) *oxuser.ChangeByModuleAccess {
		return &oxuser.ChangeByModuleAccess{Ctx: userCtx(10), User: id, ModuleAccess: a, Auth: adminAuth}
	}
	name := func() string {
		var out oxuser.GetAccessCombinationNameResponse
		b.ok(oxuser.OpGetAccessCombinationName, &oxuser.GetAccessCombinationName{Ctx: userCtx(10), User: id,
			Auth: adminAuth}, &out)
		return state.Text(out.Return_)
	}
	if got := name(); got != "webmail_plus" {
		t.Errorf("inherited access is %q", got)
	}
	for _, n := range []string{"webmail", "pim", "pim_infostore", "pim_mobility", "groupware_standard",
		"groupware_premium", "drive", "pim_plus"} {
		b.ok(oxuser.OpChangeByModuleAccessName, byName(n), nil)
		if got := name(); got != n {
			t.Errorf("after %q: got %q", n, got)
		}
	}
	b.refused("InvalidDataException", `No such access combination name "nothing"`, oxuser.OpChangeByModuleAccessName,
		byName("nothing"), nil)
	b.refused("InvalidDataException", `No such access combination name`, oxuser.OpChangeByModuleAccessName, byName(""),
		nil)
	b.ok(oxuser.OpChangeByModuleAccess, byFlags(&oxuser.UserModuleAccess{}), nil)
	if got := name(); got != "groupware_premium" {
		t.Errorf("an empty access object gives %q", got)
	}
	b.ok(oxuser.OpChangeByModuleAccess, byFlags(nil), nil)

	webmailPlus := state.PutAccess(state.Combinations["webmail_plus"])
	b.ok(oxuser.OpChangeByModuleAccess, byFlags(webmailPlus), nil)
	if u, _ := b.state.User(10, "mia"); !slices.Equal(u.Flags, []string{"contacts", "publication", "webmail"}) ||
		name() != "" {
		t.Errorf("flags of webmail_plus give %v", u.Flags)
	}
	for _, clash := range []state.Access{state.EditPublicFolders, state.ReadCreateSharedFolders, state.WebdavXml,
		state.DelegateTask} {
		a := state.PutAccess(state.GlobalAddressBookDisabled | state.Webmail | clash)
		b.refused("StorageException", "Global address book can not be disabled for non-PIM users.",
			oxuser.OpChangeByModuleAccess, byFlags(a), nil)
	}
	b.ok(oxuser.OpChangeByModuleAccess,
		byFlags(state.PutAccess(state.GlobalAddressBookDisabled|state.EditGroup|
			state.EditResource|state.Infostore|state.Ical|state.Vcard)), nil)
	if u, _ := b.state.User(10, "mia"); u.BookOpen {
		t.Error("the address book is open")
	}
	b.refused("StorageException", "FLD-0089", oxuser.OpChangeByModuleAccess,
		byFlags(state.PutAccess(state.PublicFolderEditable)), nil)
	id = &oxuser.User{Id: state.Id32(2)}
	b.ok(oxuser.OpChangeByModuleAccess,
		byFlags(state.PutAccess((state.PublicFolderEditable | state.Publication))), nil)

	// A context whose book has one row for everybody.
	if err := b.state.AddContext(Context{ID: 30, GABMode: "global"}); err != nil {
		t.Fatal(err)
	}
	b.create(30, person("mia"))
	b.ok(oxuser.OpChangeByModuleAccessName, &oxuser.ChangeByModuleAccessName{Ctx: userCtx(30),
		User:                    &oxuser.User{Id: state.Id32(3)},
		Access_combination_name: new("webmail"), Auth: adminAuth}, nil)
	if u, _ := b.state.User(30, "mia"); !u.BookOpen || slices.Contains(u.Flags, "globalAddressBookDisabled") {
		t.Errorf("in global mode the user's flag counts: %v", u.Flags)
	}
}

func TestGlobalAccessChange(t *testing.T) {
	t.Parallel()
	b := start(t)
	all := state.PutAccess(0)
	add := state.PutAccess(state.Tasks)
	req := &oxuser.ChangeModuleAccessGlobal{Filter: new("webmail_plus"), AddAccess: add, RemoveAccess: all,
		Auth: &oxuser.Credentials{Login: masterAuth.Login, Password: masterAuth.Password}}
	b.ok(oxuser.OpChangeModuleAccessGlobal, req, nil)
	ten, _ := b.state.User(10, "oxadmin")
	twenty, _ := b.state.User(20, "oxadmin")
	if !slices.Contains(ten.Flags, "tasks") || twenty.Access != "groupware_standard" {
		t.Errorf("got %v and %v", ten.Flags, twenty.Flags)
	}
	req.AddAccess = state.PutAccess(state.GlobalAddressBookDisabled)
	b.refused("InvalidDataException", `"GlobalAddressBookDisabled" can not be changed with this method`,
		oxuser.OpChangeModuleAccessGlobal, req, nil)
	req.Auth = adminAuth
	b.refused("InvalidCredentialsException", "", oxuser.OpChangeModuleAccessGlobal, req, nil)
}

func TestSwitches(t *testing.T) {
	t.Parallel()
	t.Run("rename", func(t *testing.T) {
		t.Parallel()
		b := start(t, WithUsernameChangeable())
		b.create(10, person("mia"))
		b.create(10, person("tom"))
		req := &oxuser.Change{Ctx: userCtx(10), Usrdata: &oxuser.User{Id: state.Id32(3), Name: new("tom")}, Auth: adminAuth}
		b.refused("InvalidDataException", "User tom already exists in this context", oxuser.OpChange, req, nil)
		req.Usrdata.Name = new("maria")
		b.ok(oxuser.OpChange, req, nil)
		if _, _, ok := b.state.Login("teachers", "maria", "pw-mia"); !ok {
			t.Error("the new name cannot log in")
		}
	})
	t.Run("master override", func(t *testing.T) {
		t.Parallel()
		b := start(t, WithMasterOverride())
		master := &oxuser.Credentials{Login: masterAuth.Login, Password: masterAuth.Password}
		b.ok(oxuser.OpCreate, &oxuser.Create{Ctx: userCtx(10), Usrdata: person("mia"), Auth: master},
			new(oxuser.CreateResponse))
		b.ok(oxuser.OpChange, &oxuser.Change{Ctx: userCtx(10), Usrdata: &oxuser.User{Id: state.Id32(3)}, Auth: master}, nil)
		b.refused("InvalidCredentialsException", "", oxuser.OpCreate,
			&oxuser.Create{Ctx: userCtx(99), Usrdata: person("mia"), Auth: master}, new(oxuser.CreateResponse))
	})
	t.Run("primary unchangeable", func(t *testing.T) {
		t.Parallel()
		b := start(t, WithPrimaryMailUnchangeable())
		b.create(10, person("mia"))
		b.refused("InvalidDataException", "primary mail must not be changed", oxuser.OpChange,
			&oxuser.Change{Ctx: userCtx(10), Auth: adminAuth,
				Usrdata: &oxuser.User{Id: state.Id32(3), PrimaryEmail: new("n@x.y"), Email1: new("n@x.y"),
					Aliases: []string{"n@x.y", "mia@school.example"}}}, nil)
	})
	t.Run("shared display names", func(t *testing.T) {
		t.Parallel()
		b := start(t, WithSharedDisplayNames())
		b.create(10, person("mia"))
		b.create(10, with("tom", func(u *oxuser.User) { u.Display_name = new("Display mia") }))
	})
	t.Run("bypassed access checks", func(t *testing.T) {
		t.Parallel()
		b := start(t, WithBypassedAccessChecks())
		b.create(10, person("mia"))
		b.ok(oxuser.OpChangeByModuleAccess, &oxuser.ChangeByModuleAccess{Ctx: userCtx(10),
			User:         &oxuser.User{Id: state.Id32(3)},
			Auth:         adminAuth,
			ModuleAccess: &oxuser.UserModuleAccess{GlobalAddressBookDisabled: new(true)}}, nil)
	})
	t.Run("no detail", func(t *testing.T) {
		t.Parallel()
		b := start(t, WithoutFaultDetail())
		b.refused("", "Authentication failed", oxuser.OpListAll, &oxuser.ListAll{Ctx: userCtx(10)},
			new(oxuser.ListAllResponse))
	})
	t.Run("7.10", func(t *testing.T) {
		t.Parallel()
		b := start(t, WithVersion(Version710))
		b.refused("", `local:"length"`, oxuser.OpList, &oxuser.List{Ctx: userCtx(10), Auth: adminAuth, Length: state.Id32(1)},
			new(oxuser.ListResponse))
		b.refused("", `local:"image1"`, oxuser.OpCreate, &oxuser.Create{Ctx: userCtx(10), Auth: adminAuth,
			Usrdata: &oxuser.User{Image1: png}}, new(oxuser.CreateResponse))
		b.refused("", `unexpected element (uri:"http://dataobjects.soap.admin.openexchange.com/xsd", local:"gabMode")`,
			oxcontext.OpChange,
			&oxcontext.Change{Ctx: &oxcontext.Context{Id: state.Id32(10), GabMode: new("global")}, Auth: masterAuth}, nil)
		b.create(10, person("mia"))
	})
}

func TestSchemaUpdate(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.state.SetUpdating(state.DefaultSchema, true)
	for op, req := range map[*soap.Operation]any{
		oxuser.OpCreate:  &oxuser.Create{Ctx: userCtx(10), Usrdata: person("mia"), Auth: adminAuth},
		oxuser.OpGetData: &oxuser.GetData{Ctx: userCtx(10), User: &oxuser.User{Id: state.Id32(2)}, Auth: adminAuth},
		oxuser.OpListAll: &oxuser.ListAll{Ctx: userCtx(10), Auth: adminAuth},
	} {
		b.refused("DatabaseUpdateException", "is locked or is now being updated, please try again later", op, req,
			op.NewResponse())
	}
	ctx := &oxcontext.Context{Id: state.Id32(10)}
	b.ok(oxcontext.OpGetData, &oxcontext.GetData{Ctx: ctx, Auth: masterAuth}, new(oxcontext.GetDataResponse))
	if err := b.state.AddContext(Context{ID: 40}); err != nil {
		t.Fatal(err)
	}
	if c, _ := b.state.Context(40); c.Schema == state.DefaultSchema {
		t.Error("a new context was put into the schema that is being updated")
	}
	b.state.SetUpdating(state.DefaultSchema, false)
	b.create(10, person("mia"))
}

// TestEmptyRequests: whatever a request lacks, the server answers with a fault.
func TestEmptyRequests(t *testing.T) {
	t.Parallel()
	b := start(t)
	for _, sv := range soapapi.AllServices() {
		for op := range sv.Handlers {
			err := b.c.Call(context.Background(), op, op.NewRequest(), responseOf(op))
			var f *soap.Fault
			if !asFault(err, &f) {
				t.Errorf("%s without parameters: got %v, want a fault", op, err)
			}
		}
	}
}

func responseOf(op *soap.Operation) any {
	if op.Void() {
		return nil
	}
	return op.NewResponse()
}

func TestEveryOperationHasAHandler(t *testing.T) {
	t.Parallel()
	srv := New()
	for name, ops := range tables {
		sv := srv.soap.Services[name]
		if sv == nil {
			t.Errorf("service %s is missing", name)
			continue
		}
		for _, op := range ops {
			if sv.Handlers[op] == nil {
				t.Errorf("%s has no handler", op)
			}
		}
		if len(sv.Handlers) != len(ops) {
			t.Errorf("%s has %d handlers for %d operations", name, len(sv.Handlers), len(ops))
		}
	}
}
