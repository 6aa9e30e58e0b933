package ox

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/soap"
)

// TestFaults has the texts that OX 8.19 answers.
func TestFaults(t *testing.T) {
	t.Parallel()
	const nso = "com.openexchange.admin.rmi.exceptions.NoSuchObjectException: com.openexchange.admin.rmi.exceptions."
	for _, tt := range []struct {
		kind, text string
		want       Kind
	}{
		{"InvalidCredentialsException", "Authentication failed; exceptionId 1-2", ErrCredentials},
		{"InvalidCredentialsException", "Permission denied; exceptionId 1-2", ErrPermissionDenied},
		{"InvalidDataException", "Mandatory fields in context not set: [maxQuota]; exceptionId 1-2", ErrInvalidData},
		{"InvalidDataException", `Illegal chars: "@" in login mapping; exceptionId 1-2`, ErrInvalidData},
		{"StorageException", "Cannot map 'x' to the newly created context. This mapping is already in use.; " +
			"exceptionId 1-2", ErrMappingUsed},
		{"StorageException", `A mapping with login info "x" already exists in the system!; exceptionId 1-2`, ErrMappingUsed},
		{"NoSuchContextException", "Context 7 does not exist; exceptionId 1-2", ErrNoSuchContext},
		{"", "The context 7 does not exist!", ErrNoSuchContext},
		{"NoSuchUserException", "No such user 5 in context 7; exceptionId 1-2", ErrNoSuchUser},
		{"NoSuchUserException", "No such user(s) 5, 6 in context 7; exceptionId 1-2", ErrNoSuchUser},
		{"NoSuchUserException", nso +
			"NoSuchUserException: No such user mia in context 7; exceptionId 1-2; exceptionId 1-3; exceptionId 1-4",
			ErrNoSuchUser},
		{"StorageException", nso + "NoSuchGroupException: No such group staff in context 7; exceptionId 1-2", ErrNoSuchGroup},
		{"", nso + "NoSuchResourceException: No such resource beamer; exceptionId 1-2", ErrNoSuchResource},
		{"ContextExistsException", "Context 7 already exists!; exceptionId 1-2", ErrContextExists},
		{"InvalidDataException", "Context school already exists!; exceptionId 1-2", ErrContextExists},
		{"InvalidDataException", "User mia already exists in this context; exceptionId 1-2", ErrUserExists},
		{"UserExistsException", "User mia already exists in context 8; exceptionId 1-2", ErrUserExists},
		{"InvalidDataException", "The displayname is already used; exceptionId 1-2", ErrDisplayNameUsed},
		{"StorageException", `FLD-0075 Categories=USER_INPUT Message='An infostore folder named "u1" already exists below ` +
			`folder userstore (9) in context 7.'; exceptionId 1-2`, ErrDisplayNameUsed},
		{"InvalidDataException", `Primary mail address "a@b.c" already exists in context 7 (Already assigned to user 3).; ` +
			`exceptionId 1-2`, ErrAddressUsed},
		{"InvalidDataException", "Group already exists!; exceptionId 1-2", ErrGroupExists},
		{"InvalidDataException", "Group staff already exists in this context; exceptionId 1-2", ErrGroupExists},
		{"InvalidDataException", "Member already exists in group; exceptionId 1-2", ErrAlreadyMember},
		{"InvalidDataException", `No such access combination name "x"; exceptionId 1-2`, ErrNoSuchCombination},
		{"DatabaseUpdateException",
			`Schema "db_5" from database 3 on host "h" is locked or is now being updated, please try again later; ` +
				`exceptionId 1-2`, ErrDatabaseUpdate},
		{"StorageException", "User update conflict: Another process is currently modifying user data. Please try again " +
			"later.; exceptionId 1-2", ErrLockConflict},
		{"StorageException", "SRV-0001 Categories=TRY_AGAIN Message='The service X is temporary not available. Please try " +
			"again later.'; exceptionId 1-2", ErrStarting},
		{"StorageException", "UCP-0003 Categories=ERROR Message='Unexpected problem occurred.'; exceptionId 1-2",
			ErrCopyConflict},
		{"StorageException", "UCP-0011 Categories=USER_INPUT Message='A user named mia already exists in destination " +
			"context 8.'; exceptionId 1-2", ErrUserExists},
		{"StorageException", "FLD-0038 Categories=ERROR Message='A SQL error occurred: Deadlock found when trying to get " +
			"lock; try restarting transaction'; exceptionId 1-2", ErrRolledBack},
		{"", "Can't overwrite cause with java.lang.Exception: Deadlock found when trying to get lock; try restarting " +
			"transaction", ErrRolledBack},
		{"StorageException", "FLD-0033 Categories=ERROR Message='No admin user found in context 7'; exceptionId 1-2",
			ErrStorage}, // but for creates of contexts
		{"StorageException", "Global address book can not be disabled for non-PIM users.; exceptionId 1-2", ErrStorage},
		{"RemoteException", "something", ErrRemote},
		{"TaskManagerException", "something", ErrJob},
		{"", "Fault occurred while processing.", ErrServer},
	} {
		t.Run(tt.text[:min(len(tt.text), 60)], func(t *testing.T) {
			t.Parallel()
			f := &fakeServer{answer: func(*soap.Operation, []byte, *http.Request) (any, error, bool) {
				return nil, fakeFault{tt.kind, tt.text}, true
			}}
			c := newFake(t, f, &Options{Retries: -1, LockWait: 1, DatabaseUpdateWait: 1})
			c.schemas.first = 1
			_, err := c.Context(7, testAdmin).Users.Get(t.Context(), UserRef{Name: "mia"})
			e, ok := errors.AsType[*Error](err)
			if !ok || !errors.Is(err, tt.want) || e.Kind != tt.want {
				t.Fatalf("got %v, want %q", err, tt.want)
			}
			if strings.Contains(e.Message, "exceptionId") || strings.Contains(e.Message, "com.openexchange") {
				t.Errorf("message %q", e.Message)
			}
			if strings.Contains(tt.text, "exceptionId") && !strings.HasPrefix(e.ExceptionID, "1-2") {
				t.Errorf("exception id %q", e.ExceptionID)
			}
		})
	}
}

func TestBroaderKinds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		kind Kind
		is   []error
		not  []error
	}{
		{ErrNoSuchUser, []error{ErrNoSuchUser, schoolmail.ErrNotFound}, []error{ErrNoSuchContext, ErrInvalidData}},
		{ErrUserExists, []error{ErrUserExists, ErrInvalidData, schoolmail.ErrConflict}, []error{ErrStorage}},
		{ErrLockConflict, []error{ErrStorage}, []error{ErrInvalidData}},
		{ErrPermissionDenied, []error{ErrCredentials}, nil},
		{ErrCredentials, nil, []error{ErrPermissionDenied}},
	} {
		err := error(&Error{Op: "x", Kind: tt.kind})
		for _, target := range tt.is {
			if !errors.Is(err, target) {
				t.Errorf("%q is not %v", tt.kind, target)
			}
		}
		for _, target := range tt.not {
			if errors.Is(err, target) {
				t.Errorf("%q is %v", tt.kind, target)
			}
		}
	}
}

// TestUnknownLoginIsNoMissingUser: OX looks the caller's login up as a user
// before it checks the password, and says so with the words for a missing user.
func TestUnknownLoginIsNoMissingUser(t *testing.T) {
	t.Parallel()
	f := &fakeServer{answer: func(*soap.Operation, []byte, *http.Request) (any, error, bool) {
		return nil, fakeFault{"NoSuchUserException", "No such user oxadmin in context 7; exceptionId 1-2"}, true
	}}
	users := newFake(t, f, nil).Context(7, testAdmin).Users
	_, err := users.Get(t.Context(), UserRef{Name: "mia"})
	if !errors.Is(err, ErrCredentials) || errors.Is(err, ErrNoSuchUser) {
		t.Errorf("get: %v", err)
	}
	if err := users.Change(t.Context(), UserRef{Name: "mia"}, UserChange{Note: new("x")}); !errors.Is(err,
		ErrCredentials) {
		t.Errorf("change: %v", err)
	}
	// Delete authenticates first, so the words mean what they say there.
	if err := users.Delete(t.Context(), Reassign{}, UserRef{Name: "oxadmin"}); err != nil {
		t.Errorf("delete: %v", err)
	}
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	f := &fakeServer{answer: func(*soap.Operation, []byte, *http.Request) (any, error, bool) {
		return nil, fakeFault{"InvalidDataException", "The displayname is already used; exceptionId -12-34"}, true
	}}
	users := newFake(t, f, nil).Context(42, testAdmin).Users
	_, err := users.Create(t.Context(), NewUser{Name: "m.muster", DisplayName: "M", GivenName: "M", FamilyName: "M",
		PrimaryEmail: "m@s.ch", Password: "pw-of-m"})
	want := `ox: create user "m.muster" in context 42: display name used already: The displayname is already used ` +
		`(exceptionId -12-34)`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// TestNoSecretsInErrors: whatever a server throws back, no password of the
// request reaches an error.
func TestNoSecretsInErrors(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(*soap.Operation, []byte, *http.Request) (any, error, bool){
		"fault": func(_ *soap.Operation, body []byte, _ *http.Request) (any, error, bool) {
			return nil, fakeFault{"InvalidDataException", string(body)}, true
		},
		"transport": func(_ *soap.Operation, body []byte, _ *http.Request) (any, error, bool) {
			return nil, io.ErrUnexpectedEOF, true
		},
		"proxy": func(*soap.Operation, []byte, *http.Request) (any, error, bool) { return 403, nil, true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := New([]string{"http://user:url-secret@ox.example/webservices"},
				Credentials{"oxadminmaster", "master-secret"},
				&Options{HTTPClient: &http.Client{Transport: &fakeServer{answer: answer}}, Retries: -1})
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.Context(7, testAdmin).Users.Create(t.Context(), NewUser{Name: "mia", DisplayName: "M", GivenName: "M",
				FamilyName: "M", PrimaryEmail: "m@s.ch", Password: "user-secret"})
			if err == nil {
				t.Fatal("no error")
			}
			if s := err.Error(); strings.Contains(s, "-secret") {
				t.Errorf("a secret shows: %s", s)
			}
			for _, s := range c.Stats().Servers {
				if strings.Contains(s.Endpoint, "-secret") {
					t.Errorf("a secret shows: %s", s.Endpoint)
				}
			}
		})
	}
}

func TestTemporary(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err  Error
		want bool
	}{
		{Error{Kind: ErrLockConflict}, true},
		{Error{Kind: ErrDatabaseUpdate}, true},
		{Error{Kind: ErrStarting}, true},
		{Error{Kind: ErrUnreachable}, true},
		{Error{Kind: ErrLostAnswer}, true},
		{Error{Kind: ErrStatus, HTTPStatus: 503}, true},
		{Error{Kind: ErrStatus, HTTPStatus: 403}, false},
		{Error{Kind: ErrInvalidData}, false},
		{Error{Kind: ErrStorage}, false},
		{Error{Kind: ErrCanceled, Err: context.Canceled}, false},
	} {
		if got := tt.err.Temporary(); got != tt.want {
			t.Errorf("%v: got %v", &tt.err, got)
		}
	}
	if e := (&Error{Kind: ErrLostAnswer, Err: context.DeadlineExceeded}); !e.Timeout() {
		t.Error("a deadline is no timeout")
	}
}

// TestEveryDeclaredFault: every kind of fault that any operation declares has a
// kind of error, with either status.
func TestEveryDeclaredFault(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for _, op := range allOperations() {
		for _, name := range op.Faults {
			if seen[name] {
				continue
			}
			seen[name] = true
			for _, status := range []int{200, 500} {
				answer := roundTripper(func(*http.Request) (*http.Response, error) {
					return response(status, "text/xml; charset=UTF-8", fakeFault{name,
						"whatever it is; exceptionId -3-4"}.envelope()), nil
				})
				c, err := New([]string{"http://ox/webservices"}, testAdmin,
					&Options{HTTPClient: &http.Client{Transport: answer}, Retries: -1, DatabaseUpdateWait: 1})
				if err != nil {
					t.Fatal(err)
				}
				c.schemas.first = 1
				err = second(c.Context(7, testAdmin).Users.Exists(t.Context(), UserRef{ID: 3}))
				e, ok := errors.AsType[*Error](err)
				if !ok || e.Kind != kindsByDetail[name] || e.Kind == "" || e.ExceptionID != "-3-4" ||
					e.Message != "whatever it is" {
					t.Errorf("%s with status %d: got %v", name, status, err)
				}
			}
		}
	}
	for name := range kindsByDetail {
		if !seen[name] {
			t.Errorf("no operation declares %s", name)
		}
	}
}

// TestErrorIsALine: some faults list every element that the server knows.
func TestErrorIsALine(t *testing.T) {
	t.Parallel()
	e := &Error{Op: "create user", Kind: ErrNotUnderstood,
		Message: "Unmarshalling Error:\n unexpected <" + strings.Repeat("é", 8000)}
	got := e.Error()
	if strings.Contains(got, "\n") || len([]rune(got)) > 320 || !strings.HasSuffix(got, " ...") {
		t.Errorf("%d characters: %q", len([]rune(got)), got)
	}
	e.Message = "short"
	if got := e.Error(); got != "ox: create user: not understood: short" {
		t.Errorf("%q", got)
	}
}
