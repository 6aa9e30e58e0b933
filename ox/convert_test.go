package ox

import (
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/xsd"
	"github.com/ictmedia/schoolmail/ox/internal/oxcontext"
	"github.com/ictmedia/schoolmail/ox/internal/oxresource"
	"github.com/ictmedia/schoolmail/ox/internal/oxuser"
)

// TestEveryFieldIsRead sets each field of each generated type alone and wants it
// to show in the type of this package, or to be listed with the reason why not.
func TestEveryFieldIsRead(t *testing.T) {
	t.Parallel()
	t.Run("User", func(t *testing.T) {
		reads(t, userFrom, map[string]string{
			"Default_group":              "never filled by the server",
			"Drive_folder_mode":          "never filled by the server; write only",
			"Drive_user_folder_mode":     "never filled by the server; write only",
			"FolderTree":                 "never filled by the server; write only",
			"Password":                   "never filled by getData; the echo of create must not spread",
			"Convert_drive_user_folders": "an action, always false in answers",
		})
	})
	t.Run("Context", func(t *testing.T) { reads(t, contextFrom, nil) })
	t.Run("Schema", func(t *testing.T) {
		reads(t, func(g *oxcontext.Database) Schema { return schemaFrom(g) },
			allBut[oxcontext.Database]("in a context only these two are filled", "Id", "Scheme"))
	})
	t.Run("Group", func(t *testing.T) { reads(t, groupFrom, nil) })
	t.Run("Resource", func(t *testing.T) { reads(t, resourceFrom, nil) })
	t.Run("ResourcePermission", func(t *testing.T) {
		reads(t, func(g *oxresource.ResourcePermission) Resource {
			return resourceFrom(&oxresource.Resource{Permissions: []*oxresource.ResourcePermission{g}})
		}, nil)
	})
	t.Run("Access", func(t *testing.T) {
		reads(t, func(g *oxuser.UserModuleAccess) Access { return accessFrom(g) }, nil)
		reads(t, func(g *oxcontext.UserModuleAccess) Access { return accessFrom(g) }, nil)
	})
	t.Run("Attributes", func(t *testing.T) {
		reads(t, attributesFrom, nil)
		reads(t, preferencesFrom, nil)
	})
	t.Run("Database", func(t *testing.T) { reads(t, databaseFrom, nil) })
	t.Run("Filestore", func(t *testing.T) { reads(t, filestoreFrom, nil) })
	t.Run("Server", func(t *testing.T) { reads(t, serverFrom, nil) })
	t.Run("MaintenanceReason", func(t *testing.T) {
		reads(t, reasonFrom, map[string]string{"Idset": "says that Id is there", "Textset": "says that Text is there"})
	})
	t.Run("Account", func(t *testing.T) {
		reads(t, accountFrom, map[string]string{
			"ContextId":         "known from the call",
			"Password":          "must not spread",
			"TransportPassword": "must not spread",
		})
	})
}

func allBut[G any](reason string, fields ...string) map[string]string {
	out := make(map[string]string)
	for f := range reflect.TypeFor[G]().Fields() {
		if !slices.Contains(fields, f.Name) {
			out[f.Name] = reason
		}
	}
	return out
}

func reads[G, T any](t *testing.T, convert func(*G) T, ignored map[string]string) {
	t.Helper()
	ignored = maps.Clone(ignored)
	base := convert(new(G))
	for i := range reflect.TypeFor[G]().NumField() {
		g := new(G)
		f := reflect.ValueOf(g).Elem().Field(i)
		name := reflect.TypeFor[G]().Field(i).Name
		setSample(f, 0)
		seen := !reflect.DeepEqual(base, convert(g))
		if f.Kind() == reflect.Pointer && f.Elem().Kind() == reflect.Bool {
			f.Elem().SetBool(false)
			seen = seen || !reflect.DeepEqual(base, convert(g))
		}
		switch _, skip := ignored[name]; {
		case !seen && !skip:
			t.Errorf("%T: field %s gets lost", *g, name)
		case seen && skip:
			t.Errorf("%T: field %s is listed as ignored, but is read", *g, name)
		}
		delete(ignored, name)
	}
	for name := range ignored {
		t.Errorf("%v: no field %s", reflect.TypeFor[G](), name)
	}
}

// TestEveryFieldIsWritten fills the types of this package and wants every field
// of the generated ones to be set, or to be listed with the reason why not.
func TestEveryFieldIsWritten(t *testing.T) {
	t.Parallel()
	t.Run("User", func(t *testing.T) {
		writes(t, (*UserChange).to, map[string]string{
			"Contextadmin":          "the server decides",
			"Default_group":         "ignored by the server",
			"Drive_folder_mode":     "a second name of Drive_user_folder_mode that older servers refuse",
			"GuiPreferencesForSoap": "ignored by the server",
			"Id":                    "is set with the reference",
			"ImapSchema":            "ignored by the server",
			"ImapServerString":      "ignored by the server",
			"SmtpSchema":            "ignored by the server",
			"SmtpServerString":      "ignored by the server",
			"Password_expired":      "ignored by the server",
			"UsedQuota":             "has no effect",
		})
	})
	t.Run("NewUser", func(t *testing.T) {
		n := NewUser{Name: "a", DisplayName: "b", GivenName: "c", FamilyName: "d", PrimaryEmail: "e@f", Password: "g",
			Aliases: []string{"h@f"}}
		ch := n.change()
		want := &oxuser.User{Name: new("a"), Display_name: new("b"), Given_name: new("c"), Sur_name: new("d"),
			PrimaryEmail: new("e@f"),
			Email1:       new("e@f"), DefaultSenderAddress: new("e@f"), Aliases: []string{"e@f", "h@f"}, Password: new("g")}
		if diff := cmp.Diff(want, ch.to()); diff != "" {
			t.Error(diff)
		}
	})
	server := "computed by the server"
	t.Run("NewContext", func(t *testing.T) {
		writes(t, func(n *NewContext) *oxcontext.Context {
			n.ID, n.Schema = 7, ""
			out, err := n.to()
			if err != nil {
				t.Fatal(err)
			}
			return out
		}, map[string]string{"Average_size": server, "Enabled": server, "Filestore_name": server, "UsedQuota": server,
			"ReadDatabase": "chosen by the schema strategy", "WriteDatabase": "chosen by the schema strategy"})
		writes(t, (*NewContext).strategy, nil)
	})
	t.Run("ContextChange", func(t *testing.T) {
		writes(t, func(ch *ContextChange) *oxcontext.Context {
			return ch.to(7)
		}, map[string]string{"Average_size": server, "Enabled": "see Contexts.Enable", "Filestore_name": server,
			"UsedQuota":    server,
			"ReadDatabase": "see Contexts.MoveDatabase", "WriteDatabase": "see Contexts.MoveDatabase",
			"GabMode": "only on create"})
	})
	t.Run("Database", func(t *testing.T) {
		writes(t, (*DatabaseChange).to, map[string]string{"Id": "is set with the call", "CurrentUnits": server,
			"Read_id": server, "Scheme": server})
	})
	t.Run("Filestore", func(t *testing.T) {
		writes(t, (*FilestoreChange).to, map[string]string{"Id": "is set with the call", "CurrentContexts": server,
			"Reserved": server, "Used": server})
	})
	t.Run("AccountDataOnCreate", func(t *testing.T) { writes(t, (*NewAccount).to, nil) })
	t.Run("AccountDataUpdate", func(t *testing.T) { writes(t, (*AccountChange).to, nil) })
	t.Run("ResourcePermission", func(t *testing.T) {
		writes(t, func(p *ResourcePermission) *oxresource.ResourcePermission {
			return permissionsTo([]ResourcePermission{*p})[0]
		}, nil)
	})
	t.Run("Access", func(t *testing.T) {
		writes(t, func(a *Access) *oxuser.UserModuleAccess { return accessTo(*a) }, nil)
		writes(t, func(a *Access) *oxcontext.UserModuleAccess { return accessTo(*a) }, nil)
	})
}

func writes[T, G any](t *testing.T, convert func(*T) *G, ignored map[string]string) {
	t.Helper()
	ignored = maps.Clone(ignored)
	in := new(T)
	setSample(reflect.ValueOf(in).Elem(), 0)
	out := reflect.ValueOf(convert(in)).Elem()
	for i := range out.NumField() {
		name := out.Type().Field(i).Name
		switch _, skip := ignored[name]; {
		case out.Field(i).IsZero() && !skip:
			t.Errorf("%v: field %s cannot be set", out.Type(), name)
		case !out.Field(i).IsZero() && skip:
			t.Errorf("%v: field %s is listed as not set, but is", out.Type(), name)
		}
		delete(ignored, name)
	}
	for name := range ignored {
		t.Errorf("%v: no field %s", out.Type(), name)
	}
}

func TestUserAndChangeAgree(t *testing.T) {
	t.Parallel()
	writeOnly := []string{"Password", "FolderTree", "DriveFolderMode", "ConvertDriveFolders"}
	user := reflect.TypeFor[User]()
	for f := range reflect.TypeFor[UserChange]().Fields() {
		if slices.Contains(writeOnly, f.Name) {
			continue
		}
		u, ok := user.FieldByName(f.Name)
		switch {
		case !ok:
			t.Errorf("UserChange.%s has no counterpart in User", f.Name)
		case f.Type.Kind() == reflect.Pointer && f.Type.Elem() != u.Type:
			t.Errorf("UserChange.%s is %v, User.%s is %v", f.Name, f.Type, f.Name, u.Type)
		}
	}
}

func TestDates(t *testing.T) {
	t.Parallel()
	for _, zone := range []string{"", "Z", "+02:00", "-11:00"} {
		got := dateFrom(&xsd.Date{Year: 1970, Month: 1, Day: 1, Zone: zone})
		if want := schoolmail.NewDate(1970, 1, 1); got != want {
			t.Errorf("zone %q: got %v, want %v", zone, got, want)
		}
	}
	if got := dateTo(new(schoolmail.NewDate(2016, 4, 18))).String(); got != "2016-04-18" {
		t.Errorf("got %q", got)
	}
	if dateTo(nil) != nil || dateFrom(nil) != 0 {
		t.Error("no date is not no date")
	}
}

func TestRecodeRefusesWhatTheTargetLacks(t *testing.T) {
	t.Parallel()
	n := NewContext{ID: 5, Admin: NewUser{Name: "a", More: UserChange{MaxQuota: new(int64(100))}}}
	if _, err := n.admin(); err == nil {
		t.Error("a quota of the administrator was dropped without a word")
	}
	n.Admin.More = UserChange{Department: new("IT"), Attributes: AttributesChange{"config": {"a": new("b")}}}
	u, err := n.admin()
	if err != nil {
		t.Fatal(err)
	}
	if *u.Department != "IT" || *u.UserAttributes.Entries[0].Value.Entries[0].Value != "b" {
		t.Errorf("got %+v", u)
	}
}
