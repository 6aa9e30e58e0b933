package ox

import (
	"bytes"
	"context"
	"encoding/xml"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/ox/internal/oxcontext"
	"github.com/ictmedia/schoolmail/ox/internal/oxgroup"
	"github.com/ictmedia/schoolmail/ox/internal/oxresource"
	"github.com/ictmedia/schoolmail/ox/internal/oxsecaccount"
	"github.com/ictmedia/schoolmail/ox/internal/oxtask"
	"github.com/ictmedia/schoolmail/ox/internal/oxuser"
	"github.com/ictmedia/schoolmail/ox/internal/oxusercopy"
	"github.com/ictmedia/schoolmail/ox/internal/oxutil"
)

var update = flag.Bool("update", false, "write the golden files")

// unreachable are the operations that this package does not offer, with the reason.
var unreachable = map[*soap.Operation]string{
	oxcontext.OpDisableAll: "shuts out every user of the installation at once",
	oxcontext.OpEnableAll:  "would enable contexts that were disabled for a reason of their own",
	oxgroup.OpGetMembers:   "answers 12 KB per member; Group.Members has the same ids at 30 bytes each",
}

// discard runs through a list and wants no error.
func discard[T any](seq func(func(T, error) bool)) error {
	for _, err := range seq {
		if err != nil {
			return err
		}
	}
	return nil
}

func second[T any](_ T, err error) error { return err }

// reach says for each operation how one gets at it. The requests are the wire goldens.
func reach(c *Client, cc *ContextClient) map[*soap.Operation]func(ctx context.Context) error {
	type f = func(ctx context.Context) error
	admin := NewUser{Name: "oxadmin", DisplayName: "Admin", GivenName: "Con", FamilyName: "Text",
		PrimaryEmail: "oxadmin@s.example", Password: "pw"}
	byName, byFlags := admin, admin
	byName.AccessName = "all"
	byFlags.Access = new(AccessWebmail | AccessContacts)
	mia := NewUser{Name: "mia", DisplayName: "Mia Lind", GivenName: "Mia", FamilyName: "Lind",
		PrimaryEmail: "mia@s.example",
		Aliases:      []string{"m.lind@s.example"}, Password: "pw",
		More: UserChange{Language: new("de_DE"), Attributes: AttributesChange{"config": {"a": new("1"), "b": nil}}}}
	miaName, miaFlags := mia, mia
	miaName.AccessName = "groupware_standard"
	miaFlags.Access = new(AccessWebmail)
	ref, name := UserRef{ID: 7}, UserRef{Name: "mia"}
	group, res := GroupRef{ID: 9}, ResourceRef{ID: 11}
	holders := AccountHolders{Users: []schoolmail.UserID{7}, Groups: []GroupID{0}}
	move := DriveMove{Master: UserRef{ID: 8}, Filestore: 3, MaxQuota: 100}
	return map[*soap.Operation]f{
		oxcontext.OpChange: func(ctx context.Context) error {
			return c.Contexts.Change(ctx, 42, ContextChange{Name: new("school"), LoginMappings: []string{"s.example"},
				MaxQuota: new(int64(-1)), Attributes: AttributesChange{"x": {"y": new("")}}})
		},
		oxcontext.OpChangeCapabilities: func(ctx context.Context) error {
			return c.Contexts.ChangeCapabilities(ctx, 42, CapabilityChange{Grant: []string{"a", "b"}, Remove: []string{"c"}})
		},
		oxcontext.OpChangeModuleAccess: func(ctx context.Context) error {
			return c.Contexts.SetAccess(ctx, 42,
				AccessWebmail)
		},
		oxcontext.OpChangeModuleAccessByName: func(ctx context.Context) error {
			return c.Contexts.SetAccessName(ctx, 42,
				"pim")
		},
		oxcontext.OpChangeQuota: func(ctx context.Context) error {
			return c.Contexts.SetQuota(ctx, 42,
				Quota{"calendar", 1000})
		},
		oxcontext.OpCreate: func(ctx context.Context) error {
			return second(c.Contexts.Create(ctx, NewContext{ID: 42, Name: "school", Admin: admin, Strategy: "automatic"}))
		},
		oxcontext.OpCreateModuleAccess: func(ctx context.Context) error {
			return second(c.Contexts.Create(ctx, NewContext{ID: 42, MaxQuota: 100, Admin: byFlags}))
		},
		oxcontext.OpCreateModuleAccessByName: func(ctx context.Context) error {
			return second(c.Contexts.Create(ctx, NewContext{ID: 42, Name: "school", LoginMappings: []string{"x"},
				Admin: byName, Schema: "db_1"}))
		},
		oxcontext.OpDelete:    func(ctx context.Context) error { return c.Contexts.Delete(ctx, 42) },
		oxcontext.OpDisable:   func(ctx context.Context) error { return c.Contexts.Disable(ctx, 42) },
		oxcontext.OpDowngrade: func(ctx context.Context) error { return c.Contexts.Downgrade(ctx, 42) },
		oxcontext.OpEnable:    func(ctx context.Context) error { return c.Contexts.Enable(ctx, 42) },
		oxcontext.OpExists:    func(ctx context.Context) error { return second(c.Contexts.Exists(ctx, 42)) },
		oxcontext.OpExistsInServer: func(ctx context.Context) error {
			return second(c.Contexts.ExistsInServer(ctx,
				42))
		},
		oxcontext.OpGetAccessCombinationName: func(ctx context.Context) error {
			return second(c.Contexts.AccessName(ctx,
				42))
		},
		oxcontext.OpGetAdminId: func(ctx context.Context) error { return second(c.Contexts.AdminID(ctx, 42)) },
		oxcontext.OpGetContextCapabilities: func(ctx context.Context) error {
			return second(c.Contexts.Capabilities(ctx,
				42))
		},
		oxcontext.OpGetData:         func(ctx context.Context) error { return second(c.Contexts.Get(ctx, 42)) },
		oxcontext.OpGetModuleAccess: func(ctx context.Context) error { return second(c.Contexts.Access(ctx, 42)) },
		oxcontext.OpList: func(ctx context.Context) error {
			return discard(c.Contexts.Search(ctx,
				"s*"))
		},
		oxcontext.OpListAll: func(ctx context.Context) error { return discard(c.Contexts.All(ctx)) },
		oxcontext.OpListByDatabase: func(ctx context.Context) error {
			return discard(c.Contexts.OnDatabase(ctx, 3,
				nil))
		},
		oxcontext.OpListByFilestore: func(ctx context.Context) error {
			return discard(c.Contexts.OnFilestore(ctx,
				3, nil))
		},
		oxcontext.OpListPage: func(ctx context.Context) error {
			return discard(c.Contexts.Page(ctx, "s*",
				10, 20))
		},
		oxcontext.OpListPageAll: func(ctx context.Context) error {
			return discard(c.Contexts.Page(ctx, "", 10,
				20))
		},
		oxcontext.OpListPageByDatabase: func(ctx context.Context) error {
			return discard(c.Contexts.OnDatabase(ctx, 3,
				&Window{10, 20}))
		},
		oxcontext.OpListPageByFilestore: func(ctx context.Context) error {
			return discard(c.Contexts.OnFilestore(ctx,
				3, &Window{10, 20}))
		},
		oxcontext.OpListQuota: func(ctx context.Context) error { return second(c.Contexts.Quotas(ctx, 42)) },
		oxcontext.OpMoveContextDatabase: func(ctx context.Context) error {
			return second(c.Contexts.MoveDatabase(ctx,
				42, 3))
		},
		oxcontext.OpMoveContextFilestore: func(ctx context.Context) error {
			return second(c.Contexts.MoveFilestore(ctx,
				42, 3))
		},

		oxuser.OpChange: func(ctx context.Context) error {
			ch := UserChange{Department: new(""), Birthday: new(schoolmail.NewDate(2012, 3, 4))}
			ch.SetAddresses("mia@s.example", "m@s.example")
			return cc.Users.Change(ctx, ref, ch)
		},
		oxuser.OpChangeByModuleAccess: func(ctx context.Context) error {
			return cc.Users.SetAccess(ctx, ref,
				AccessWebmail)
		},
		oxuser.OpChangeByModuleAccessName: func(ctx context.Context) error { return cc.Users.SetAccessName(ctx, ref, "pim") },
		oxuser.OpChangeCapabilities: func(ctx context.Context) error {
			return cc.Users.ChangeCapabilities(ctx, ref, CapabilityChange{Deny: []string{"x"}})
		},
		oxuser.OpChangeMailAddressPersonal: func(ctx context.Context) error {
			return cc.Users.SetMailPersonal(ctx, ref,
				"Mia")
		},
		oxuser.OpChangeModuleAccessGlobal: func(ctx context.Context) error {
			return c.Cluster.ChangeAccessEverywhere(ctx, "pim", AccessTasks, AccessUSM)
		},
		oxuser.OpCreate: func(ctx context.Context) error {
			return second(cc.Users.Create(ctx, mia))
		},
		oxuser.OpCreateByModuleAccess: func(ctx context.Context) error {
			return second(cc.Users.Create(ctx, miaFlags))
		},
		oxuser.OpCreateByModuleAccessName: func(ctx context.Context) error {
			return second(cc.Users.Create(ctx, miaName))
		},
		oxuser.OpDelete: func(ctx context.Context) error { return cc.Users.Delete(ctx, Reassign{}, ref) },
		oxuser.OpDeleteMultiple: func(ctx context.Context) error {
			return cc.Users.Delete(ctx, ReassignTo(5),
				Refs(7, 8)...)
		},
		oxuser.OpExists: func(ctx context.Context) error {
			return second(cc.Users.DisplayNameExists(ctx,
				"Mia Lind"))
		},
		oxuser.OpGetAccessCombinationName: func(ctx context.Context) error {
			return second(cc.Users.AccessName(ctx, ref))
		},
		oxuser.OpGetContextAdmin: func(ctx context.Context) error { return second(cc.Users.Admin(ctx)) },
		oxuser.OpGetData: func(ctx context.Context) error {
			return second(cc.Users.Get(ctx, name))
		},
		oxuser.OpGetModuleAccess: func(ctx context.Context) error {
			return second(cc.Users.Access(ctx, ref))
		},
		oxuser.OpGetMultipleData: func(ctx context.Context) error {
			return discard(cc.Users.Load(ctx,
				[]schoolmail.UserID{7, 8}))
		},
		oxuser.OpGetUserCapabilities: func(ctx context.Context) error {
			return second(cc.Users.Capabilities(ctx, ref))
		},
		oxuser.OpList: func(ctx context.Context) error {
			return discard(cc.Users.IDs(ctx, &UserQuery{Pattern: "m*", Guests: true, Length: 10, Offset: 5}))
		},
		oxuser.OpListAll: func(ctx context.Context) error { return discard(cc.Users.IDs(ctx, nil)) },
		oxuser.OpListByAliasDomain: func(ctx context.Context) error {
			return discard(cc.Users.IDs(ctx, &UserQuery{AliasDomain: "s.example"}))
		},
		oxuser.OpListCaseInsensitive: func(ctx context.Context) error {
			return discard(cc.Users.IDs(ctx, &UserQuery{Pattern: "M*", IgnoreCase: true}))
		},
		oxuser.OpMoveFromContextToUserFilestore: func(ctx context.Context) error {
			return second(cc.Users.MoveToOwnFilestore(ctx, ref, move))
		},
		oxuser.OpMoveFromMasterToUserFilestore: func(ctx context.Context) error {
			return second(cc.Users.MoveFromMasterToOwnFilestore(ctx, ref, move))
		},
		oxuser.OpMoveFromUserFilestoreToMaster: func(ctx context.Context) error {
			return second(cc.Users.MoveToMasterFilestore(ctx, ref, move))
		},
		oxuser.OpMoveFromUserToContextFilestore: func(ctx context.Context) error {
			return second(cc.Users.MoveToContextFilestore(ctx, ref))
		},
		oxuser.OpMoveUserFilestore: func(ctx context.Context) error {
			return second(cc.Users.MoveFilestore(ctx,
				ref, move))
		},

		oxgroup.OpAddMember: func(ctx context.Context) error { return cc.Groups.AddMembers(ctx, group, 8, 7, 8) },
		oxgroup.OpChange: func(ctx context.Context) error {
			return cc.Groups.Change(ctx, group, GroupChange{DisplayName: new("7b")})
		},
		oxgroup.OpCreate: func(ctx context.Context) error {
			return second(cc.Groups.Create(ctx, Group{Name: "7b", DisplayName: "Class 7b", Members: []schoolmail.UserID{7, 8}}))
		},
		oxgroup.OpDelete: func(ctx context.Context) error { return cc.Groups.Delete(ctx, group) },
		oxgroup.OpDeleteMultiple: func(ctx context.Context) error {
			return cc.Groups.Delete(ctx, group,
				GroupRef{Name: "7c"})
		},
		oxgroup.OpGetData: func(ctx context.Context) error {
			return second(cc.Groups.Get(ctx,
				GroupRef{Name: "7b"}))
		},
		oxgroup.OpGetDefaultGroup: func(ctx context.Context) error { return second(cc.Groups.Default(ctx)) },
		oxgroup.OpGetMultipleData: func(ctx context.Context) error {
			return discard(cc.Groups.Load(ctx,
				[]GroupID{9, 10}))
		},
		oxgroup.OpList:              func(ctx context.Context) error { return discard(cc.Groups.Search(ctx, "7*")) },
		oxgroup.OpListAll:           func(ctx context.Context) error { return discard(cc.Groups.All(ctx)) },
		oxgroup.OpListGroupsForUser: func(ctx context.Context) error { return discard(cc.Groups.OfUser(ctx, name)) },
		oxgroup.OpRemoveMember:      func(ctx context.Context) error { return cc.Groups.RemoveMembers(ctx, group, 7) },

		oxresource.OpChange: func(ctx context.Context) error {
			return cc.Resources.Change(ctx, res, ResourceChange{Description: new(""), Available: new(false),
				Permissions: []ResourcePermission{{0, true, AskToBook}, {7, false, Delegate}}})
		},
		oxresource.OpCreate: func(ctx context.Context) error {
			return second(cc.Resources.Create(ctx, Resource{Name: "beamer", DisplayName: "Beamer", Email: "beamer@s.example",
				Available: true}))
		},
		oxresource.OpDelete: func(ctx context.Context) error { return cc.Resources.Delete(ctx, res) },
		oxresource.OpGetData: func(ctx context.Context) error {
			return second(cc.Resources.Get(ctx,
				ResourceRef{Name: "beamer"}))
		},
		oxresource.OpGetMultipleData: func(ctx context.Context) error {
			return discard(cc.Resources.Load(ctx,
				[]ResourceID{11}))
		},
		oxresource.OpList:    func(ctx context.Context) error { return discard(cc.Resources.Search(ctx, "b*")) },
		oxresource.OpListAll: func(ctx context.Context) error { return discard(cc.Resources.All(ctx)) },

		oxutil.OpChangeDatabase: func(ctx context.Context) error {
			return c.Cluster.ChangeDatabase(ctx, 3, DatabaseChange{MaxUnits: new(1000), Password: "pw"})
		},
		oxutil.OpChangeFilestore: func(ctx context.Context) error {
			return c.Cluster.ChangeFilestore(ctx, 3, FilestoreChange{Size: new(int64(1000))})
		},
		oxutil.OpCheckCountsConsistency: func(ctx context.Context) error { return c.Cluster.CheckCounts(ctx, true, false) },
		oxutil.OpCheckDatabase: func(ctx context.Context) error {
			return second(c.Cluster.CheckDatabases(ctx))
		},
		oxutil.OpCreateMaintenanceReason: func(ctx context.Context) error {
			return second(c.Cluster.CreateMaintenanceReason(ctx, "holidays"))
		},
		oxutil.OpCreateSchema: func(ctx context.Context) error {
			return second(c.Cluster.CreateSchema(ctx, 3))
		},
		oxutil.OpDeleteMaintenanceReason: func(ctx context.Context) error {
			return c.Cluster.DeleteMaintenanceReasons(ctx,
				1, 2)
		},
		oxutil.OpListAllDatabase:  func(ctx context.Context) error { return discard(c.Cluster.Databases(ctx, "")) },
		oxutil.OpListAllFilestore: func(ctx context.Context) error { return discard(c.Cluster.Filestores(ctx, "")) },
		oxutil.OpListAllMaintenanceReason: func(ctx context.Context) error {
			return discard(c.Cluster.MaintenanceReasons(ctx, ""))
		},
		oxutil.OpListAllServer: func(ctx context.Context) error { return discard(c.Cluster.Servers(ctx, "")) },
		oxutil.OpListDatabase:  func(ctx context.Context) error { return discard(c.Cluster.Databases(ctx, "d*")) },
		oxutil.OpListFilestore: func(ctx context.Context) error {
			return discard(c.Cluster.Filestores(ctx,
				"f*"))
		},
		oxutil.OpListMaintenanceReason: func(ctx context.Context) error {
			return discard(c.Cluster.MaintenanceReasons(ctx,
				"h*"))
		},
		oxutil.OpListServer: func(ctx context.Context) error { return discard(c.Cluster.Servers(ctx, "s*")) },
		oxutil.OpRegisterDatabase: func(ctx context.Context) error {
			return second(c.Cluster.RegisterDatabase(ctx, DatabaseChange{Name: new("db")}, 2))
		},
		oxutil.OpRegisterFilestore: func(ctx context.Context) error {
			return second(c.Cluster.RegisterFilestore(ctx, FilestoreChange{URL: new("file:/x")}))
		},
		oxutil.OpRegisterServer: func(ctx context.Context) error {
			return second(c.Cluster.RegisterServer(ctx, "s1"))
		},
		oxutil.OpUnblockDatabase: func(ctx context.Context) error {
			return second(c.Cluster.UnblockDatabase(ctx, 3,
				"db_5"))
		},
		oxutil.OpUnregisterDatabase:  func(ctx context.Context) error { return c.Cluster.UnregisterDatabase(ctx, 3) },
		oxutil.OpUnregisterFilestore: func(ctx context.Context) error { return c.Cluster.UnregisterFilestore(ctx, 3) },
		oxutil.OpUnregisterServer:    func(ctx context.Context) error { return c.Cluster.UnregisterServer(ctx, 3) },

		oxtask.OpDeleteJob:      func(ctx context.Context) error { return cc.Jobs.Delete(ctx, 5) },
		oxtask.OpFlush:          func(ctx context.Context) error { return cc.Jobs.Flush(ctx) },
		oxtask.OpGetJobList:     func(ctx context.Context) error { return second(c.Jobs(42).List(ctx)) },
		oxtask.OpGetTaskResults: func(ctx context.Context) error { return second(cc.Jobs.Result(ctx, 5)) },

		oxusercopy.OpCopyUser: func(ctx context.Context) error {
			return second(c.CopyUser(ctx, "mia", cc, c.Context(43, testAdmin), &CopyOptions{
				AddressFree: func(context.Context, string) (bool, error) { return true, nil }}))
		},

		oxsecaccount.OpCreate: func(ctx context.Context) error {
			return cc.Accounts.Create(ctx, NewAccount{Account: Account{Name: "Office", PrimaryAddress: "office@s.example",
				Mail: MailServer{Login: "office", Password: "pw"}}, MailSource: EndpointPrimary,
				TransportSource: EndpointPrimary}, holders)
		},
		oxsecaccount.OpDelete: func(ctx context.Context) error {
			return second(cc.Accounts.Delete(ctx, "office@s.example",
				holders))
		},
		oxsecaccount.OpList: func(ctx context.Context) error { return discard(cc.Accounts.All(ctx, holders)) },
		oxsecaccount.OpUpdate: func(ctx context.Context) error {
			return second(cc.Accounts.Change(ctx, "office@s.example", AccountChange{Personal: new("School office")}, holders))
		},
	}
}

// TestOperations walks every operation of every service: it is reachable, or
// listed with the reason why not; what it sends carries context and credentials
// and is what the golden file says.
func TestOperations(t *testing.T) {
	t.Parallel()
	var requests []golden
	for _, op := range allOperations() {
		f := &fakeServer{answer: func(op *soap.Operation, body []byte, _ *http.Request) (any, error, bool) {
			switch op { // so that a copy finds its target free
			case oxuser.OpExists:
				return &oxuser.ExistsResponse{Return_: new(false)}, nil, true
			case oxcontext.OpGetData:
				return &oxcontext.GetDataResponse{Return_: &oxcontext.Context{Id: decodeRequest(t, op,
					body).(*oxcontext.GetData).Ctx.Id, Name: new("old")}}, nil, true
			}
			return nil, nil, false
		}}
		c := newFake(t, f, nil)
		call, ok := reach(c, c.Context(42, testAdmin))[op]
		reason, listed := unreachable[op]
		switch {
		case !ok && !listed:
			t.Errorf("%v is neither reachable nor listed as unreachable", op)
			continue
		case ok && listed:
			t.Errorf("%v is reachable, but listed as unreachable (%s)", op, reason)
		case listed:
			if reason == "" {
				t.Errorf("%v is listed without a reason", op)
			}
			continue
		}
		if err := call(t.Context()); err != nil {
			t.Errorf("%v: %v", op, err)
			continue
		}
		i := slices.IndexFunc(f.requests, func(r fakeRequest) bool { return r.op == op })
		if i < 0 {
			t.Errorf("%v: the call sent %v", op, f.ops())
			continue
		}
		decodeRequest(t, op, f.requests[i].body)
		requests = append(requests, golden{op.String(), canonical(t, f.requests[i].body)})
	}
	const file = "testdata/requests.txtar"
	if *update {
		ar := &txtar.Archive{Comment: []byte("One request per operation, as {namespace}name and text. Written by go test " +
			"-run TestOperations -update.\n" +
			"S http://soap.admin.openexchange.com  D http://dataobjects.soap.admin.openexchange.com/xsd\n" +
			"R http://dataobjects.rmi.admin.openexchange.com/xsd  C http://soap.copy.user.admin.openexchange.com\n\n")}
		for _, r := range requests {
			ar.Files = append(ar.Files, txtar.File{Name: r.name, Data: []byte(r.text)})
		}
		if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ar, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[string]string)
	for _, f := range ar.Files {
		want[f.Name] = string(f.Data)
	}
	for _, r := range requests {
		if diff := cmp.Diff(want[r.name], r.text); diff != "" {
			t.Errorf("%s (-want +got):\n%s", r.name, diff)
		}
		delete(want, r.name)
	}
	for name := range maps.Keys(want) {
		t.Errorf("%s is in the golden file only", name)
	}
}

type golden struct{ name, text string }

// canonical writes a request one element a line.
func canonical(t *testing.T, body []byte) string {
	t.Helper()
	short := strings.NewReplacer("http://soap.admin.openexchange.com", "S",
		"http://dataobjects.soap.admin.openexchange.com/xsd", "D",
		"http://dataobjects.rmi.admin.openexchange.com/xsd", "R", "http://soap.copy.user.admin.openexchange.com", "C")
	var b strings.Builder
	dec := xml.NewDecoder(bytes.NewReader(body))
	depth, text := 0, ""
	for {
		tok, err := dec.Token()
		if err == io.EOF {
			return b.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			if depth++; depth > 2 { // without Envelope and Body
				if depth > 3 {
					b.WriteString("\n")
				}
				fmt.Fprintf(&b, "%s{%s}%s", strings.Repeat("  ", depth-3), short.Replace(tok.Name.Space), tok.Name.Local)
			}
			text = ""
		case xml.CharData:
			text += string(tok)
		case xml.EndElement:
			if text != "" {
				fmt.Fprintf(&b, " = %q", text)
				text = ""
			}
			if depth--; depth == 2 {
				b.WriteString("\n")
			}
		}
	}
}

// TestEveryAccessObjectIsComplete: a flag that is left out is granted, so none is.
func TestEveryAccessObjectIsComplete(t *testing.T) {
	t.Parallel()
	for _, op := range []*soap.Operation{oxuser.OpCreateByModuleAccess, oxuser.OpChangeByModuleAccess,
		oxcontext.OpChangeModuleAccess,
		oxcontext.OpCreateModuleAccess, oxuser.OpChangeModuleAccessGlobal} {
		f := &fakeServer{}
		c := newFake(t, f, nil)
		if err := reach(c, c.Context(42, testAdmin))[op](t.Context()); err != nil {
			t.Errorf("%v: %v", op, err)
			continue
		}
		body := string(f.requests[len(f.requests)-1].body)
		for _, name := range accessNames {
			if !strings.Contains(body, ":"+name+">true<") && !strings.Contains(body, ":"+name+">false<") {
				t.Errorf("%v: %s is left out", op, name)
			}
		}
	}
	if n := reflect.TypeFor[oxuser.UserModuleAccess]().NumField(); n != len(accessNames) {
		t.Errorf("the service has %d flags, this package %d", n, len(accessNames))
	}
}
