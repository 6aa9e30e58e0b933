package oxtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/internal/testlife"
	"github.com/ictmedia/schoolmail/ox/internal/oxcontext"
	"github.com/ictmedia/schoolmail/ox/internal/oxsecaccount"
	"github.com/ictmedia/schoolmail/ox/internal/oxtask"
	"github.com/ictmedia/schoolmail/ox/internal/oxuser"
	"github.com/ictmedia/schoolmail/ox/internal/oxusercopy"
	"github.com/ictmedia/schoolmail/ox/internal/oxutil"
	"github.com/ictmedia/schoolmail/ox/oxtest/internal/state"
)

// inside is start without a socket, for synctest.
func inside(t *testing.T, opts ...Option) *bench {
	t.Helper()
	srv := New(opts...)
	t.Cleanup(func() { srv.Close() })
	c, err := soap.NewClient("http://ox.example/webservices", &soap.Options{HTTPClient: srv.HTTPClient()})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []int{10, 20} {
		if err := srv.State().AddContext(Context{ID: schoolmail.ContextID(id)}); err != nil {
			t.Fatal(err)
		}
	}
	return &bench{t, srv, c}
}

// TestWriteLock: user writes of one context wait for each other in whole
// seconds and give up after some twenty; other contexts and reads do not wait.
func TestWriteLock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := inside(t, WithLatency(12*time.Second))
		begin := time.Now()
		var wg sync.WaitGroup
		took := map[string]time.Duration{}
		var mu sync.Mutex
		do := func(name string, op *soap.Operation, req any) {
			wg.Go(func() {
				err := b.call(op, req, responseOf(op))
				mu.Lock()
				defer mu.Unlock()
				took[name] = time.Since(begin)
				if err != nil {
					took[name+": "+err.(*soap.Fault).Message] = time.Since(begin)
				}
			})
			synctest.Wait()
		}
		do("first", oxuser.OpCreate, &oxuser.Create{Ctx: userCtx(10), Usrdata: person("a"), Auth: adminAuth})
		do("second", oxuser.OpCreate, &oxuser.Create{Ctx: userCtx(10), Usrdata: person("b"), Auth: adminAuth})
		do("other context", oxuser.OpCreate, &oxuser.Create{Ctx: userCtx(20), Usrdata: person("a"), Auth: adminAuth})
		do("read", oxuser.OpListAll, &oxuser.ListAll{Ctx: userCtx(10), Auth: adminAuth})
		wg.Wait()
		for _, n := range []string{"first", "other context", "read"} {
			if took[n] != 12*time.Second {
				t.Errorf("%s took %v", n, took[n])
			}
		}
		if d := took["second"]; d < 24*time.Second || d > 32*time.Second || len(took) != 4 {
			t.Errorf("the second write took %v: %v", d, took)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		b := inside(t, WithLatency(30*time.Second))
		var conflicts atomic.Int32
		var wg sync.WaitGroup
		for _, n := range []string{"a", "b"} {
			wg.Go(func() {
				err := b.call(oxuser.OpCreate, &oxuser.Create{Ctx: userCtx(10), Usrdata: person(n), Auth: adminAuth},
					new(oxuser.CreateResponse))
				var f *soap.Fault
				if errors.As(err, &f) && f.Kind == "StorageException" && strings.HasPrefix(f.Message, "User update conflict: ") {
					conflicts.Add(1)
				} else if err != nil {
					t.Error(err)
				}
			})
		}
		begin := time.Now()
		wg.Wait()
		if conflicts.Load() != 1 || time.Since(begin) != 30*time.Second {
			t.Errorf("%d conflicts after %v", conflicts.Load(), time.Since(begin))
		}
	})
}

// TestLatencies: the options give each call the time that they promise.
func TestLatencies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := inside(t, WithLatencySpread(100*time.Millisecond, 300*time.Millisecond))
		for range 2000 {
			b.ok(oxuser.OpExists, &oxuser.Exists{Ctx: userCtx(10), User: &oxuser.User{Id: state.Id32(2)}, Auth: adminAuth},
				new(oxuser.ExistsResponse))
		}
		var took []time.Duration
		for _, c := range b.Calls() {
			took = append(took, c.Duration)
		}
		slices.Sort(took)
		for q, want := range map[int]time.Duration{1000: 100 * time.Millisecond, 1900: 300 * time.Millisecond} {
			if got := took[q]; got < want*85/100 || got > want*115/100 {
				t.Errorf("call %d of 2000 took %v, want about %v", q, got, want)
			}
		}
	})
	synctest.Test(t, func(t *testing.T) {
		b := inside(t, WithMeasuredLatency(2))
		b.create(10, person("mia"))
		b.ok(oxuser.OpGetMultipleData, &oxuser.GetMultipleData{Ctx: userCtx(10),
			Users: []*oxuser.User{{Id: state.Id32(2)}, {Id: state.Id32(3)}}, Auth: adminAuth},
			new(oxuser.GetMultipleDataResponse))
		if c := b.Calls(); c[0].Duration != 17*time.Millisecond || c[1].Duration != 4400*time.Microsecond {
			t.Errorf("create took %v, reading two %v", c[0].Duration, c[1].Duration)
		}
	})
}

// TestCrossedCopies: two copies at once fail both, one after the other work.
func TestCrossedCopies(t *testing.T) {
	t.Parallel()
	auth := &oxusercopy.Credentials{Login: masterAuth.Login, Password: masterAuth.Password}
	req := func(name string, from, to int) *oxusercopy.CopyUser {
		return &oxusercopy.CopyUser{User: &oxusercopy.User{Name: &name}, Src: &oxusercopy.Context{Id: state.Id32(from)},
			Dest: &oxusercopy.Context{Id: state.Id32(to)}, Auth: auth}
	}
	synctest.Test(t, func(t *testing.T) {
		b := inside(t, WithLatency(time.Second))
		for ctx, name := range map[schoolmail.ContextID]string{10: "mia", 20: "tom"} {
			if _, err := b.state.AddUser(ctx, User{Name: name}); err != nil {
				t.Fatal(err)
			}
		}
		var wg sync.WaitGroup
		for _, r := range []*oxusercopy.CopyUser{req("mia", 10, 20), req("tom", 20, 10)} {
			wg.Go(func() {
				b.refused("StorageException", "UCP-0003", oxusercopy.OpCopyUser, r, new(oxusercopy.CopyUserResponse))
			})
		}
		wg.Wait()
		b.ok(oxusercopy.OpCopyUser, req("mia", 10, 20), new(oxusercopy.CopyUserResponse))
		b.ok(oxusercopy.OpCopyUser, req("tom", 20, 10), new(oxusercopy.CopyUserResponse))
		for _, c := range b.Calls()[:2] {
			if c.InFlight == 0 || c.Outcome != "StorageException" {
				t.Errorf("recorded %+v", c)
			}
		}
	})
	synctest.Test(t, func(t *testing.T) {
		b := inside(t, WithLatency(time.Second), WithHangingCopies())
		for _, name := range []string{"mia", "tom"} {
			if _, err := b.state.AddUser(10, User{Name: name}); err != nil {
				t.Fatal(err)
			}
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			b.refused("StorageException", "UCP-0003", oxusercopy.OpCopyUser, req("mia", 10, 20),
				new(oxusercopy.CopyUserResponse))
		})
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		if err := b.c.Call(ctx, oxusercopy.OpCopyUser, req("tom", 10, 20),
			new(oxusercopy.CopyUserResponse)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the second copy ended: %v", err)
		}
		b.refused("StorageException", "User update conflict", oxuser.OpCreate,
			&oxuser.Create{Ctx: userCtx(20), Usrdata: person("x"), Auth: adminAuth}, new(oxuser.CreateResponse))
		b.Close()
		wg.Wait()
	})
}

func TestCopyRefusals(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.create(10, person("mia"))
	if err := b.state.AddContext(Context{ID: 30, MaxQuota: 3, UsedQuota: 1}); err != nil {
		t.Fatal(err)
	}
	if err := b.state.SetData(10, "mia", PersonalData{DriveBytes: 5 << 20}); err != nil {
		t.Fatal(err)
	}
	auth := &oxusercopy.Credentials{Login: masterAuth.Login, Password: masterAuth.Password}
	req := func(id, from, to int) *oxusercopy.CopyUser {
		return &oxusercopy.CopyUser{User: &oxusercopy.User{Id: state.Id32(id)},
			Src:  &oxusercopy.Context{Id: state.Id32(from)},
			Dest: &oxusercopy.Context{Id: state.Id32(to)}, Auth: auth}
	}
	out := new(oxusercopy.CopyUserResponse)
	b.refused("NoSuchContextException", "", oxusercopy.OpCopyUser, req(3, 99, 20), out)
	b.refused("NoSuchContextException", "", oxusercopy.OpCopyUser, req(3, 10, 99), out)
	b.refused("NoSuchUserException", "", oxusercopy.OpCopyUser, req(99, 10, 20), out)
	b.refused("StorageException", "UCP-0011", oxusercopy.OpCopyUser, req(3, 10, 10), out)
	b.refused("StorageException", "quota", oxusercopy.OpCopyUser, req(3, 10, 30), out)
	wrong := req(3, 10, 20)
	wrong.Auth = &oxusercopy.Credentials{Login: new("oxadmin"), Password: new("secret")}
	b.refused("InvalidCredentialsException", "", oxusercopy.OpCopyUser, wrong, out)
	// Neither address nor display name is compared.
	b.create(20, with("other", func(u *oxuser.User) {
		u.Display_name, u.PrimaryEmail, u.Email1 = new("Display mia"), new("mia@school.example"), new("mia@school.example")
	}))
	b.ok(oxusercopy.OpCopyUser, req(3, 10, 20), out)
	same := 0
	for _, u := range b.state.Users(20) {
		if u.PrimaryEmail == "mia@school.example" {
			same++
		}
	}
	if same != 2 {
		t.Errorf("%d users have the address, want 2", same)
	}

	none := testlife.Of(Start(WithoutUserCopy()))(t)
	c, err := soap.NewClient(none.SOAPURL, nil)
	if err != nil {
		t.Fatal(err)
	}
	var h *soap.HTTPError
	if err := c.Call(context.Background(), oxusercopy.OpCopyUser, req(3, 10, 20), out); !errors.As(err, &h) ||
		h.Status != 404 {
		t.Errorf("without the package: got %v", err)
	}
}

func TestInject(t *testing.T) {
	t.Parallel()
	// Both ways to reach a server must show the same failures.
	for _, how := range []string{"socket", "in process"} {
		newBench := func(t *testing.T) *bench {
			if how == "socket" {
				return start(t)
			}
			return inside(t)
		}
		exists := func(b *bench) bool { _, ok := b.state.User(10, "mia"); return ok }
		for _, tt := range []struct {
			name  string
			f     Failure
			done  bool
			check func(error) bool
		}{
			{"fault", Temporary, false, func(err error) bool {
				var f *soap.Fault
				return errors.As(err, &f) && strings.HasPrefix(f.Message, "SRV-0001")
			}},
			{"conflict", Conflict, false, func(err error) bool {
				var f *soap.Fault
				return errors.As(err, &f) &&
					f.Kind == "StorageException"
			}},
			{"status", Failure{Status: 503}, false, func(err error) bool {
				var h *soap.HTTPError
				return errors.As(err, &h) &&
					h.Status == 503
			}},
			{"reset before", Failure{ResetBefore: true}, false,
				func(err error) bool { var e *soap.TransportError; return errors.As(err, &e) }},
			{"reset after", Failure{ResetAfter: true}, true,
				func(err error) bool { var e *soap.TransportError; return errors.As(err, &e) }},
			{"truncated", Failure{Truncate: 500}, true, func(err error) bool {
				var e *soap.ProtocolError
				return errors.As(err,
					&e)
			}},
			{"delay", Failure{Delay: time.Millisecond}, true, func(err error) bool { return err == nil }},
			{"slow body", Failure{SlowBody: time.Microsecond}, true, func(err error) bool { return err == nil }},
		} {
			t.Run(how+"/"+tt.name, func(t *testing.T) {
				t.Parallel()
				b := newBench(t)
				remove := b.Inject(Fault{Service: "OXUserService", Op: "create", Context: 10, Times: 1, Failure: tt.f})
				req := &oxuser.Create{Ctx: userCtx(10), Usrdata: person("mia"), Auth: adminAuth}
				if err := b.call(oxuser.OpCreate, req, new(oxuser.CreateResponse)); !tt.check(err) {
					t.Errorf("got %v", err)
				}
				if exists(b) != tt.done {
					t.Errorf("the work was done: %v, want %v", !tt.done, tt.done)
				}
				req.Usrdata = person("tom")
				if err := b.call(oxuser.OpCreate, req, new(oxuser.CreateResponse)); err != nil {
					t.Errorf("the rule hit twice: %v", err)
				}
				remove()
			})
		}
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	b := start(t)
	remove := b.Inject(Fault{Op: "listAll", Skip: 1, Times: 2, Failure: Failure{Kind: "StorageException", Message: "x"}})
	list := func(ctx int) bool {
		return b.call(oxuser.OpListAll, &oxuser.ListAll{Ctx: userCtx(ctx), Auth: adminAuth},
			new(oxuser.ListAllResponse)) == nil
	}
	var got []bool
	for range 5 {
		got = append(got, list(10))
	}
	if !slices.Equal(got, []bool{true, false, false, true, true}) {
		t.Errorf("got %v", got)
	}
	remove()
	remove = b.Inject(Fault{Context: 20, Failure: Failure{Kind: "StorageException"}})
	if !list(10) || list(20) {
		t.Error("the rule does not mind its context")
	}
	remove()
	if !list(20) {
		t.Error("a removed rule hits")
	}
	b.Inject(Fault{Rate: 0.5, Failure: Failure{Kind: "StorageException"}})
	n := 0
	for range 100 {
		if list(10) {
			n++
		}
	}
	if n < 20 || n > 80 {
		t.Errorf("%d of 100 calls passed at a rate of one half", n)
	}
}

func TestCalls(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.create(10, person("mia"))
	b.refused("NoSuchUserException", "", oxuser.OpDelete, &oxuser.Delete{Ctx: userCtx(10),
		User: &oxuser.User{Id: state.Id32(9)}, Auth: adminAuth}, nil)
	want := []Call{
		{Service: "OXUserService", Op: "create", Context: 10, Subject: "mia", Objects: 1, InFlight: 1, InFlightContext: 1},
		{Service: "OXUserService", Op: "delete", Context: 10, Subject: "9", Objects: 1, InFlight: 1, InFlightContext: 1,
			Outcome: "NoSuchUserException"},
	}
	got := b.Calls()
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Call{}, "Start", "Duration", "Request", "Response")); diff != "" {
		t.Error(diff)
	}
	if n, in, out := b.Requests(); n != 2 || in == 0 || out < 10000 {
		t.Errorf("%d requests, %d and %d bytes", n, in, out)
	}
	if s := got[1].String(); s != "OXUserService.delete context 10 9: NoSuchUserException" {
		t.Errorf("got %q", s)
	}
	if b.Counts()["OXUserService.create"] != 1 || b.PeakInFlight() != 1 {
		t.Errorf("counts %v, peak %d", b.Counts(), b.PeakInFlight())
	}
	b.ResetCalls()
	if len(b.Calls()) != 0 || len(b.Counts()) != 0 {
		t.Error("calls are left")
	}
}

func TestSnapshot(t *testing.T) {
	t.Parallel()
	b := start(t)
	id := b.create(10, with("mia", func(u *oxuser.User) { u.Aliases = []string{"a@x.y"} }))
	if _, err := b.state.AddGroup(10, Group{Name: "g", Members: []schoolmail.UserID{schoolmail.UserID(id)}}); err != nil {
		t.Fatal(err)
	}
	before := [2]any{b.state.Users(10), b.state.Groups(10)}
	snap := b.state.Snapshot()
	b.create(10, person("tom"))
	b.ok(oxuser.OpChange, &oxuser.Change{Ctx: userCtx(10), Usrdata: &oxuser.User{Id: state.Id32(id),
		Aliases: []string{"mia@school.example"}, Note: new("n"),
		UserAttributes: state.AttributesOf(state.Attributes{"a": {"b": "c"}})}, Auth: adminAuth}, nil)
	b.ok(oxcontext.OpDelete, &oxcontext.Delete{Ctx: &oxcontext.Context{Id: state.Id32(20)}, Auth: masterAuth}, nil)
	for range 2 { // a snapshot can be used again
		b.state.Restore(snap)
		if diff := cmp.Diff(before, [2]any{b.state.Users(10), b.state.Groups(10)}); diff != "" {
			t.Fatal(diff)
		}
		if got := b.create(10, person("tom")); got != id+2 {
			t.Errorf("the next id is %d", got)
		}
		if _, ok := b.state.Context(20); !ok {
			t.Error("a deleted context is not back")
		}
	}
}

func TestOtherRequests(t *testing.T) {
	t.Parallel()
	srv := testlife.Of(Start())(t)
	const empty = `<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body/></e:Envelope>`
	for _, tt := range []struct {
		name, method, path, body string
		status                   int
		contentType, want        string
	}{
		{"list of services", "GET", "/webservices", "", 200, "text/html", "OXUserService"},
		{"unknown service", "POST", "/webservices/OXNothing", empty, 404, "text/plain", "No service was found."},
		{"get without wsdl", "GET", "/webservices/OXUserService", "", 500, "text/xml",
			"No binding operation info while invoking unknown method"},
		{"wsdl", "GET", "/webservices/OXUserService?wsdl", "", 200, "text/xml", srv.SOAPURL + "/OXUserService"},
		{"wsdl of upper case", "GET", "/webservices/OXUserService?WSDL", "", 500, "text/xml", "No binding"},
		{"put", "PUT", "/webservices/OXUserService", empty, 405, "text/plain", ""},
		{"empty body", "POST", "/webservices/OXUserService", empty, 500, "text/xml", "No binding operation info"},
		{"operation of another service", "POST", "/webservices/OXGroupService", strings.Replace(empty, "<e:Body/>",
			`<e:Body><copyUser xmlns="http://soap.copy.user.admin.openexchange.com"/></e:Body>`, 1), 500, "text/xml",
			"NO_PART_FOUND"},
		{"operation in the wrong namespace", "POST", "/webservices/OXUserCopyService", strings.Replace(empty, "<e:Body/>",
			`<e:Body><copyUser xmlns="http://soap.admin.openexchange.com"/></e:Body>`, 1), 500, "text/xml",
			"UNEXPECTED_WRAPPER_ELEMENT"},
		{"no xml", "POST", "/webservices/OXUserService", "hello", 500, "text/xml", "soap:Client"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			req, err := http.NewRequest(tt.method, srv.URL+tt.path, strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != tt.status || !strings.HasPrefix(resp.Header.Get("Content-Type"), tt.contentType) ||
				!strings.Contains(string(body), tt.want) {
				t.Errorf("got %s %s\n%s", resp.Status, resp.Header.Get("Content-Type"), body)
			}
		})
	}
}

func TestUtilAndTasks(t *testing.T) {
	t.Parallel()
	b := start(t)
	auth := &oxutil.Credentials{Login: masterAuth.Login, Password: masterAuth.Password}
	var store oxutil.RegisterFilestoreResponse
	b.ok(oxutil.OpRegisterFilestore, &oxutil.RegisterFilestore{Fstore: &oxutil.Filestore{Url: new("file:/two")},
		Auth: auth}, &store)
	b.refused("InvalidDataException", "already exists", oxutil.OpRegisterFilestore,
		&oxutil.RegisterFilestore{Fstore: &oxutil.Filestore{Url: new("file:/two")}, Auth: auth}, &store)
	var stores oxutil.ListAllFilestoreResponse
	b.ok(oxutil.OpListAllFilestore, &oxutil.ListAllFilestore{Auth: auth}, &stores)
	if len(stores.Return_) != 2 || state.Number(stores.Return_[0].CurrentContexts) != 2 {
		t.Errorf("file stores: %+v", stores.Return_)
	}
	b.refused("StorageException", "in use", oxutil.OpUnregisterFilestore,
		&oxutil.UnregisterFilestore{Store: &oxutil.Filestore{Id: state.Id32(state.DefaultFilestore)}, Auth: auth}, nil)
	b.ok(oxutil.OpChangeFilestore, &oxutil.ChangeFilestore{Fstore: &oxutil.Filestore{Id: store.Return_.Id,
		MaxContexts: state.Id32(7)}, Auth: auth}, nil)
	b.state.SetUpdating("oxdatabase_5", true)
	var checked oxutil.CheckDatabaseResponse
	b.ok(oxutil.OpCheckDatabase, &oxutil.CheckDatabase{Auth: auth}, &checked)
	if l := checked.Return_.Blocked; len(l) != 1 || state.Text(l[0].Scheme) != "oxdatabase_5" {
		t.Errorf("blocked: %+v", l)
	}
	b.ok(oxutil.OpUnblockDatabase, &oxutil.UnblockDatabase{Db: &oxutil.Database{Scheme: new("oxdatabase_5")},
		Auth: auth}, new(oxutil.UnblockDatabaseResponse))

	b.create(10, with("mia", func(u *oxuser.User) { u.MaxQuota = new(int64(5)) }))
	if u, _ := b.state.User(10, "mia"); u.Fields["filestore_name"] != "10_ctx_3_user_store" {
		t.Errorf("file store %q", u.Fields["filestore_name"])
	}
	var job oxuser.MoveFromUserToContextFilestoreResponse
	move := &oxuser.MoveFromUserToContextFilestore{Ctx: userCtx(10), User: &oxuser.User{Id: state.Id32(3)},
		Auth: adminAuth}
	b.ok(oxuser.OpMoveFromUserToContextFilestore, move, &job)
	b.refused("StorageException", "", oxuser.OpMoveFromUserToContextFilestore, move, &job)
	ctx := &oxtask.Context{Id: state.Id32(10)}
	cred := &oxtask.Credentials{Login: new("oxadmin"), Password: new("secret")}
	list := func() string {
		var out oxtask.GetJobListResponse
		b.ok(oxtask.OpGetJobList, &oxtask.GetJobList{Ctx: ctx, Cred: cred}, &out)
		return state.Text(out.Return_)
	}
	if got := list(); !strings.Contains(got, "moveFromUserToContextFilestore") {
		t.Errorf("jobs:\n%s", got)
	}
	var result oxtask.GetTaskResultsResponse
	b.ok(oxtask.OpGetTaskResults, &oxtask.GetTaskResults{Ctx: ctx, Cred: cred, Id: job.Return_}, &result)
	if result.Return_ == nil || result.Return_.Text != "moveFromUserToContextFilestore" {
		t.Errorf("result %+v", result.Return_)
	}
	b.refused("TaskManagerException", "", oxtask.OpDeleteJob, &oxtask.DeleteJob{Ctx: ctx, Auth: cred, I: state.Id32(99)},
		nil)
	b.ok(oxtask.OpDeleteJob, &oxtask.DeleteJob{Ctx: ctx, Auth: cred, I: job.Return_}, nil)
	if got := list(); strings.Contains(got, "move") {
		t.Errorf("jobs:\n%s", got)
	}
}

func TestSecondaryAccounts(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.create(10, person("mia"))
	b.create(10, person("tom"))
	ctx := &oxsecaccount.Context{Id: state.Id32(10)}
	auth := &oxsecaccount.Credentials{Login: new("oxadmin"), Password: new("secret")}
	data := &oxsecaccount.AccountDataOnCreate{Login: new("sekretariat"), Password: new("p"), Name: new("Sekretariat"),
		PrimaryAddress:     new("sek@school.example"),
		MailEndpointSource: new("primary"), TransportEndpointSource: new("primary")}
	create := &oxsecaccount.Create{AccountDataOnCreate: data, Context: ctx, Auth: auth}
	b.refused("InvalidDataException", "Missing users/groups in account data", oxsecaccount.OpCreate, create, nil)
	create.Users = []*oxsecaccount.User{{Id: state.Id32(99)}}
	b.refused("NoSuchUserException", "", oxsecaccount.OpCreate, create, nil)
	create.Users = []*oxsecaccount.User{{Id: state.Id32(3)}}
	b.ok(oxsecaccount.OpCreate, create, nil)
	b.refused("StorageException", "", oxsecaccount.OpCreate, create, nil)
	everybody := []*oxsecaccount.Group{{Id: state.Id32(0)}}
	var list oxsecaccount.ListResponse
	b.ok(oxsecaccount.OpList, &oxsecaccount.List{Context: ctx, Groups: everybody, Auth: auth}, &list)
	if len(list.Return_) != 1 || state.Number(list.Return_[0].UserId) != 3 || list.Return_[0].Password != nil {
		t.Errorf("list answers %+v", list.Return_)
	}
	var updated oxsecaccount.UpdateResponse
	b.ok(oxsecaccount.OpUpdate, &oxsecaccount.Update{PrimaryAddress: new("SEK@school.example"),
		AccountDataUpdate: &oxsecaccount.AccountDataUpdate{Personal: new("Sek")},
		Context:           ctx, Groups: everybody, Auth: auth}, &updated)
	var deleted oxsecaccount.DeleteResponse
	b.ok(oxsecaccount.OpDelete, &oxsecaccount.Delete{PrimaryAddress: new("sek@school.example"), Context: ctx,
		Users: []*oxsecaccount.User{{Id: state.Id32(4)}}, Auth: auth}, &deleted)
	if !*updated.Return_ || *deleted.Return_ {
		t.Errorf("updated %v, deleted %v", *updated.Return_, *deleted.Return_)
	}
	b.ok(oxsecaccount.OpDelete, &oxsecaccount.Delete{PrimaryAddress: new("sek@school.example"), Context: ctx,
		Groups: everybody, Auth: auth}, &deleted)
	if !*deleted.Return_ {
		t.Error("nothing was deleted")
	}
}

// TestAnswerSize: answers are as large as a real server's, so that clients are
// tested with what they will get.
func TestAnswerSize(t *testing.T) {
	t.Parallel()
	b := start(t)
	for i := range 20 {
		b.create(10, person(fmt.Sprintf("user%02d", i)))
	}
	b.ResetCalls()
	b.ok(oxuser.OpListAll, &oxuser.ListAll{Ctx: userCtx(10), Auth: adminAuth}, new(oxuser.ListAllResponse))
	_, _, out := b.Requests()
	if per := out / 21; per < 10_000 || per > 13_000 {
		t.Errorf("%d bytes per user; a real server sends 11,700", per)
	}
}

func Example() {
	srv, err := Start(WithMaster("admin", "master-password"))
	if err != nil {
		panic(err)
	}
	defer srv.Close()
	if err := srv.State().AddContext(Context{ID: 10, Name: "teachers", Access: "groupware_standard"}); err != nil {
		panic(err)
	}
	id, err := srv.State().AddUser(10, User{Name: "m.muster", Fields: map[string]string{"department": "Math"}})
	if err != nil {
		panic(err)
	}
	// A client under test now talks to srv.SOAPURL ...
	u, _ := srv.State().User(10, "m.muster")
	fmt.Println(id, u.PrimaryEmail, u.Access, u.Fields["department"], len(srv.Calls()))
	// Output: 3 m.muster@teachers.example groupware_standard Math 0
}

func ExampleServer_Inject() {
	srv, err := Start()
	if err != nil {
		panic(err)
	}
	defer srv.Close()
	// The first create in context 10 does its work, but the answer is lost.
	srv.Inject(Fault{Service: "OXUserService", Op: "create", Context: 10, Times: 1, Failure: Failure{ResetAfter: true}})
	// From the second delete on, the server asks for a status page.
	srv.Inject(Fault{Op: "delete", Skip: 1, Failure: Failure{Status: 503}})
	fmt.Println(len(srv.Calls()), "calls so far")
	// Output: 0 calls so far
}

// TestCloseTwice: a server can be closed again, and while calls are under way.
func TestCloseTwice(t *testing.T) {
	t.Parallel()
	srv, err := Start(WithLatency(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			resp, err := http.Get(srv.HTTPURL + "login?action=login")
			if err == nil {
				resp.Body.Close()
			}
		})
	}
	for range 2 {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
}
