package oxtest

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/ictmedia/schoolmail/internal/soap"
)

// Fault kinds; each is also the name of the element inside a fault's detail.
const (
	kindStorage     = "StorageException"
	kindCredentials = "InvalidCredentialsException"
	kindData        = "InvalidDataException"
	kindNoContext   = "NoSuchContextException"
	kindRemote      = "RemoteException"
	kindUpdate      = "DatabaseUpdateException"
	kindNoUser      = "NoSuchUserException"
	kindNoGroup     = "NoSuchGroupException"
	kindNoResource  = "NoSuchResourceException"
	kindNoFilestore = "NoSuchFilestoreException"
	kindNoDatabase  = "NoSuchDatabaseException"
	kindContext     = "OXContextException"
	kindCtxExists   = "ContextExistsException"
	kindUserExists  = "UserExistsException"
	kindTask        = "TaskManagerException"
)

// fault makes a business fault: it has a detail and an incident id.
func (s *State) fault(kind, format string, args ...any) *soap.Fault {
	return &soap.Fault{Code: "Server", Kind: kind, Message: fmt.Sprintf(format, args...),
		Status:       http.StatusInternalServerError,
		ExceptionIDs: []string{s.exceptionID()}}
}

// lookupFault is the fault of a failing lookup by name: the cause was wrapped
// twice and brings three incident ids.
func (s *State) lookupFault(kind, format string, args ...any) *soap.Fault {
	f := s.fault(kind, "com.openexchange.admin.rmi.exceptions.NoSuchObjectException: com.openexchange.admin.rmi.exceptions.%s: %s",
		kind, fmt.Sprintf(format, args...))
	f.ExceptionIDs = append(f.ExceptionIDs, s.exceptionID(), s.exceptionID())
	return f
}

// bareFault is a fault from the SOAP layer itself: no detail, no incident id.
func bareFault(message string) *soap.Fault {
	return &soap.Fault{Code: "Server", Message: message, Status: http.StatusInternalServerError}
}

// exceptionID returns an id as OX makes them: one random number per start of
// the server, and a counter.
func (s *State) exceptionID() string {
	s.exceptions++
	return "-1449140138-" + strconv.Itoa(s.exceptions)
}
