package oxtest

import (
	"slices"
	"testing"

	"github.com/ictmedia/schoolmail/ox/internal/oxcontext"
	"github.com/ictmedia/schoolmail/ox/internal/oxuser"
	"github.com/ictmedia/schoolmail/ox/oxtest/internal/state"
)

func adminOf(name string) *oxcontext.User {
	u := state.Convert[oxcontext.User](person(name))
	return u
}

func TestContextCreate(t *testing.T) {
	t.Parallel()
	b := start(t)
	create := func(ctx oxcontext.Context, admin *oxcontext.User) *oxcontext.Create {
		return &oxcontext.Create{Ctx: &ctx, Admin_user: admin, Auth: masterAuth}
	}
	unlimited := new(int64(-1))
	out := new(oxcontext.CreateResponse)
	for _, tt := range []struct {
		name, kind, text string
		ctx              oxcontext.Context
	}{
		{"exists", "ContextExistsException", "Context 10 already exists!",
			oxcontext.Context{Id: state.Id32(10), MaxQuota: unlimited}},
		{"no quota", "InvalidDataException", "Mandatory fields in context not set: [maxQuota]",
			oxcontext.Context{Id: state.Id32(30)}},
		{"no id", "InvalidDataException", "Mandatory fields in context not set: [id]",
			oxcontext.Context{MaxQuota: unlimited}},
		{"id zero", "InvalidDataException", "The context identifier 0 is not allowed!",
			oxcontext.Context{Id: state.Id32(0), MaxQuota: unlimited}},
		{"mapping with at", "InvalidDataException", `Illegal chars: "@" in login mapping`,
			oxcontext.Context{Id: state.Id32(30), MaxQuota: unlimited, LoginMappings: []string{"a@b"}}},
		{"name with blank", "InvalidDataException", `Illegal chars: " " in login mapping`,
			oxcontext.Context{Id: state.Id32(30), MaxQuota: unlimited, Name: new("a b")}},
		{"mapping of another", "StorageException",
			"Cannot map 'pupils.example' to the newly created context. This mapping is already in use.",
			oxcontext.Context{Id: state.Id32(30), MaxQuota: unlimited, LoginMappings: []string{"pupils.example"}}},
		{"name of another", "StorageException", "Cannot map 'teachers'",
			oxcontext.Context{Id: state.Id32(30), MaxQuota: unlimited, Name: new("teachers")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := &bench{t, b.Server, b.c}
			b.refused(tt.kind, tt.text, oxcontext.OpCreate, create(tt.ctx, adminOf("admin")), out)
		})
	}
	b.refused("InvalidDataException", "Mandatory fields not set", oxcontext.OpCreate,
		create(oxcontext.Context{Id: state.Id32(30), MaxQuota: unlimited}, &oxcontext.User{Password: new("x")}), out)
	if _, ok := b.state.Context(30); ok {
		t.Fatal("a refused create left a context")
	}
	req := create(oxcontext.Context{Id: state.Id32(30), MaxQuota: unlimited, LoginMappings: []string{"three"},
		GabMode: new("nonsense")}, adminOf("chief"))
	b.ok(oxcontext.OpCreate, req, out)
	c := out.Return_
	if *c.MaxQuota != -1 || state.Text(c.Name) != "30" || !*c.Enabled || state.Text(c.Filestore_name) != "30_ctx_store" ||
		state.Text(c.GabMode) != "NONSENSE" ||
		!slices.Equal(c.LoginMappings, []string{"30", "three"}) {
		t.Errorf("create answers %+v", c)
	}
	var admin oxcontext.GetAdminIdResponse
	b.ok(oxcontext.OpGetAdminId, &oxcontext.GetAdminId{Ctx: &oxcontext.Context{Id: state.Id32(30)}, Auth: masterAuth},
		&admin)
	if u, _ := b.state.User(30, "chief"); state.Number(admin.Return_) != 2 || u.ID != 2 || !u.Admin ||
		u.Access != "webmail_plus" || !slices.Equal(u.Groups, []int{1}) {
		t.Errorf("the admin is %+v", u)
	}
	// Schema selection.
	both := create(oxcontext.Context{Id: state.Id32(31), MaxQuota: unlimited}, adminOf("chief"))
	both.Schema_select_strategy = &oxcontext.SchemaSelectStrategy{Schema_name: new("a"), Strategy: new("automatic")}
	b.refused("", "", oxcontext.OpCreate, both, out)
	both.Schema_select_strategy.Strategy = nil
	b.ok(oxcontext.OpCreate, both, out)
	if c, _ := b.state.Context(31); c.Schema != "a" {
		t.Errorf("schema is %q", c.Schema)
	}
	b.refused("InvalidCredentialsException", "", oxcontext.OpCreate,
		&oxcontext.Create{Ctx: both.Ctx, Admin_user: both.Admin_user}, out)
}

func TestContextChange(t *testing.T) {
	t.Parallel()
	b := start(t)
	change := func(c oxcontext.Context) *oxcontext.Change {
		c.Id = state.Id32(20)
		return &oxcontext.Change{Ctx: &c, Auth: masterAuth}
	}
	mappings := func() []string { c, _ := b.state.Context(20); return c.LoginMappings }
	b.ok(oxcontext.OpChange, change(oxcontext.Context{}), nil)
	b.ok(oxcontext.OpChange, change(oxcontext.Context{Name: new("schueler"), MaxQuota: new(int64(500)),
		GabMode: new("global")}), nil)
	// A rename alone leaves the mappings as they were.
	if got := mappings(); !slices.Equal(got, []string{"20", "pupils", "pupils.example"}) {
		t.Errorf("after rename: %v", got)
	}
	b.ok(oxcontext.OpChange, change(oxcontext.Context{LoginMappings: []string{"s.example"}}), nil)
	if got := mappings(); !slices.Equal(got, []string{"20", "s.example", "schueler"}) {
		t.Errorf("after change of mappings: %v", got)
	}
	if c, _ := b.state.Context(20); c.MaxQuota != 500 || c.GABMode != "individual" {
		t.Errorf("got %+v", c)
	}
	b.refused("InvalidDataException", "Context teachers already exists!", oxcontext.OpChange,
		change(oxcontext.Context{Name: new("teachers")}), nil)
	b.refused("StorageException", `A mapping with login info "teachers" already exists in the system!`,
		oxcontext.OpChange, change(oxcontext.Context{LoginMappings: []string{"teachers"}}), nil)
	b.refused("InvalidDataException", "in login mapping", oxcontext.OpChange,
		change(oxcontext.Context{LoginMappings: []string{"ä"}}), nil)
	b.refused("NoSuchContextException", "The context 99 does not exist!", oxcontext.OpChange,
		&oxcontext.Change{Ctx: &oxcontext.Context{Id: state.Id32(99)}, Auth: masterAuth}, nil)
}

func TestContextReading(t *testing.T) {
	t.Parallel()
	b := start(t)
	var get oxcontext.GetDataResponse
	b.ok(oxcontext.OpGetData, &oxcontext.GetData{Ctx: &oxcontext.Context{Id: state.Id32(20)}, Auth: masterAuth}, &get)
	c := get.Return_
	if c.MaxQuota != nil || c.UsedQuota == nil || *c.Average_size != 200 ||
		state.Text(c.WriteDatabase.Scheme) != state.DefaultSchema || c.GabMode != nil ||
		!slices.Equal(c.LoginMappings, []string{"pupils", "pupils.example"}) || c.UserAttributes == nil {
		t.Errorf("getData answers %+v", c)
	}
	b.refused("NoSuchContextException", "Context 99 does not exist", oxcontext.OpGetData,
		&oxcontext.GetData{Ctx: &oxcontext.Context{Id: state.Id32(99)}, Auth: masterAuth}, &get)
	var list oxcontext.ListAllResponse
	b.ok(oxcontext.OpListAll, &oxcontext.ListAll{Auth: masterAuth}, &list)
	if len(list.Return_) != 2 || !slices.Contains(list.Return_[1].LoginMappings, "20") {
		t.Errorf("listAll answers %+v", list.Return_)
	}
	for pattern, want := range map[string]int{"*": 2, "10": 1, "pup*": 1, "*.example": 1, "x": 0} {
		var out oxcontext.ListResponse
		b.ok(oxcontext.OpList, &oxcontext.List{Search_pattern: &pattern, Auth: masterAuth}, &out)
		if len(out.Return_) != want {
			t.Errorf("list %q: got %d contexts, want %d", pattern, len(out.Return_), want)
		}
	}
	for _, tt := range []struct {
		offset, length string
		want           []int
	}{{"0", "1", []int{10}}, {"1", "5", []int{20}}, {"0", "0", nil}, {"0", "-1", []int{10, 20}}, {"9", "1", nil}} {
		var out oxcontext.ListPageAllResponse
		b.ok(oxcontext.OpListPageAll, &oxcontext.ListPageAll{Offset: &tt.offset, Length: &tt.length, Auth: masterAuth}, &out)
		var got []int
		for _, c := range out.Return_ {
			got = append(got, state.Number(c.Id))
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("page %s+%s: got %v, want %v", tt.offset, tt.length, got, tt.want)
		}
	}
	b.refused("StorageException", "Invalid integer parameter", oxcontext.OpListPageAll,
		&oxcontext.ListPageAll{Offset: new("x"), Length: new("1"), Auth: masterAuth}, new(oxcontext.ListPageAllResponse))
	var byDB oxcontext.ListByDatabaseResponse
	b.ok(oxcontext.OpListByDatabase, &oxcontext.ListByDatabase{Db: &oxcontext.Database{Id: state.Id32(4)},
		Auth: masterAuth},
		&byDB)
	if len(byDB.Return_) != 2 || byDB.Return_[0].UserAttributes != nil {
		t.Errorf("listByDatabase answers %+v", byDB.Return_)
	}
	b.refused("NoSuchDatabaseException", "", oxcontext.OpListByDatabase,
		&oxcontext.ListByDatabase{Db: &oxcontext.Database{Id: state.Id32(5)}, Auth: masterAuth}, &byDB)
	b.refused("NoSuchFilestoreException", "", oxcontext.OpListByFilestore,
		&oxcontext.ListByFilestore{Fs: &oxcontext.Filestore{Id: state.Id32(5)}, Auth: masterAuth},
		new(oxcontext.ListByFilestoreResponse))
}

func TestContextExists(t *testing.T) {
	t.Parallel()
	b := start(t)
	wrong := &oxcontext.Credentials{Login: new("who"), Password: new("x")}
	for _, tt := range []struct {
		name string
		ctx  oxcontext.Context
		auth *oxcontext.Credentials
		want bool
	}{
		{"by id", oxcontext.Context{Id: state.Id32(10)}, masterAuth, true},
		{"by name", oxcontext.Context{Name: new("pupils")}, masterAuth, true},
		{"missing", oxcontext.Context{Id: state.Id32(99)}, masterAuth, false},
		{"missing, password not looked at", oxcontext.Context{Id: state.Id32(99)}, wrong, false},
		{"missing name, password not looked at", oxcontext.Context{Name: new("zz")}, wrong, false},
	} {
		var out oxcontext.ExistsResponse
		b.ok(oxcontext.OpExists, &oxcontext.Exists{Ctx: &tt.ctx, Auth: tt.auth}, &out)
		if *out.Return_ != tt.want {
			t.Errorf("%s: got %v", tt.name, *out.Return_)
		}
	}
	b.refused("InvalidCredentialsException", "", oxcontext.OpExists,
		&oxcontext.Exists{Ctx: &oxcontext.Context{Id: state.Id32(10)}, Auth: wrong}, new(oxcontext.ExistsResponse))
}

func TestContextWide(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.create(20, person("mia"))
	ctx := &oxcontext.Context{Id: state.Id32(20)}
	b.ok(oxcontext.OpChangeModuleAccessByName, &oxcontext.ChangeModuleAccessByName{Ctx: ctx,
		Access_combination_name: new("webmail"), Auth: masterAuth}, nil)
	if mia, _ := b.state.User(20, "mia"); mia.Access != "webmail" || mia.BookOpen {
		t.Errorf("got %+v", mia)
	}
	b.ok(oxcontext.OpChangeModuleAccess, &oxcontext.ChangeModuleAccess{Ctx: ctx, Access: &oxcontext.UserModuleAccess{},
		Auth: masterAuth}, nil)
	var name oxcontext.GetAccessCombinationNameResponse
	b.ok(oxcontext.OpGetAccessCombinationName, &oxcontext.GetAccessCombinationName{Ctx: ctx, Auth: masterAuth}, &name)
	if state.Text(name.Return_) != "groupware_premium" {
		t.Errorf("access is %q", state.Text(name.Return_))
	}

	caps := func() string {
		var out oxcontext.GetContextCapabilitiesResponse
		b.ok(oxcontext.OpGetContextCapabilities, &oxcontext.GetContextCapabilities{Ctx: ctx, Auth: masterAuth}, &out)
		return state.Text(out.Return_)
	}
	if got := caps(); got != "There are no capabilities set for context 20" {
		t.Errorf("got %q", got)
	}
	change := func(add, remove, drop string) *oxcontext.ChangeCapabilities {
		r := &oxcontext.ChangeCapabilities{Ctx: ctx, Auth: masterAuth}
		for p, v := range map[**string]string{&r.CapsToAdd: add, &r.CapsToRemove: remove, &r.CapsToDrop: drop} {
			if v != "" {
				*p = new(v)
			}
		}
		return r
	}
	b.ok(oxcontext.OpChangeCapabilities, change(`Foo, "bar"`, "", ""), nil)
	if got := caps(); got != "bar, foo" {
		t.Errorf("got %q", got)
	}
	b.ok(oxcontext.OpChangeCapabilities, change("", "", "foo"), nil)
	if got := caps(); got != "bar" {
		t.Errorf("got %q", got)
	}
	b.refused("InvalidDataException", "No capabilities specified.", oxcontext.OpChangeCapabilities, change("", "", ""),
		nil)
	b.refused("InvalidDataException", "", oxcontext.OpChangeCapabilities, change("calendar", "", ""), nil)

	quota := func(value string) *oxcontext.ChangeQuota {
		return &oxcontext.ChangeQuota{Ctx: ctx, Module: new("contact,task"), QuotaValue: &value, Auth: masterAuth}
	}
	b.ok(oxcontext.OpChangeQuota, quota("0"), nil)
	var quotas oxcontext.ListQuotaResponse
	b.ok(oxcontext.OpListQuota, &oxcontext.ListQuota{Ctx: ctx, Auth: masterAuth}, &quotas)
	if len(quotas.Return_) != 2 || state.Text(quotas.Return_[0].Module) != "contact" || quotas.Return_[0].Limit != 0 {
		t.Errorf("got %+v", quotas.Return_)
	}
	b.refused("", "Invalid quota value.", oxcontext.OpChangeQuota, quota("many"), nil)
	b.refused("InvalidDataException", "", oxcontext.OpChangeQuota, quota("4294967296"), nil)
	b.ok(oxcontext.OpChangeQuota, quota("-1"), nil)

	b.ok(oxcontext.OpDisable, &oxcontext.Disable{Ctx: ctx, Auth: masterAuth}, nil)
	b.ok(oxcontext.OpDisable, &oxcontext.Disable{Ctx: ctx, Auth: masterAuth}, nil)
	if _, _, ok := b.state.Login("pupils", "mia", "pw-mia"); ok {
		t.Error("a user of a disabled context can log in")
	}
	b.ok(oxuser.OpListAll, &oxuser.ListAll{Ctx: userCtx(20), Auth: adminAuth}, new(oxuser.ListAllResponse))
	b.ok(oxcontext.OpEnable, &oxcontext.Enable{Ctx: ctx, Auth: masterAuth}, nil)
	if c, u, ok := b.state.Login("pupils.example", "mia", "pw-mia"); c != 20 || u != 3 || !ok {
		t.Errorf("login gives %d, %d, %v", c, u, ok)
	}
	b.ok(oxcontext.OpDelete, &oxcontext.Delete{Ctx: ctx, Auth: masterAuth}, nil)
	b.refused("NoSuchContextException", "", oxcontext.OpDelete, &oxcontext.Delete{Ctx: ctx, Auth: masterAuth}, nil)
}
