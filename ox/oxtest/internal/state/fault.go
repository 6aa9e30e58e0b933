package state

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/ictmedia/schoolmail/internal/soap"
)

// Fault kinds; each is also the name of the element inside a fault's detail.
const (
	KindStorage     = "StorageException"
	KindCredentials = "InvalidCredentialsException"
	KindData        = "InvalidDataException"
	KindNoContext   = "NoSuchContextException"
	kindRemote      = "RemoteException"
	kindUpdate      = "DatabaseUpdateException"
	KindNoUser      = "NoSuchUserException"
	kindNoGroup     = "NoSuchGroupException"
	kindNoResource  = "NoSuchResourceException"
	kindNoFilestore = "NoSuchFilestoreException"
	KindNoDatabase  = "NoSuchDatabaseException"
	KindContext     = "OXContextException"
	kindCtxExists   = "ContextExistsException"
	kindUserExists  = "UserExistsException"
	KindTask        = "TaskManagerException"
)

// Fault makes a business fault: it has a detail and an incident id.
func (s *World) Fault(kind, format string, args ...any) *soap.Fault {
	return &soap.Fault{Code: "Server", Kind: kind, Message: fmt.Sprintf(format, args...),
		Status:       http.StatusInternalServerError,
		ExceptionIDs: []string{s.exceptionID()}}
}

// lookupFault is the fault of a failing lookup by name: the cause was wrapped
// twice and brings three incident ids.
func (s *World) lookupFault(kind, format string, args ...any) *soap.Fault {
	f := s.Fault(kind, "com.openexchange.admin.rmi.exceptions.NoSuchObjectException: "+
		"com.openexchange.admin.rmi.exceptions.%s: %s",
		kind, fmt.Sprintf(format, args...))
	f.ExceptionIDs = append(f.ExceptionIDs, s.exceptionID(), s.exceptionID())
	return f
}

// BareFault is a fault from the SOAP layer itself: no detail, no incident id.
func BareFault(message string) *soap.Fault {
	return &soap.Fault{Code: "Server", Message: message, Status: http.StatusInternalServerError}
}

// exceptionID returns an id as OX makes them: one random number per start of
// the server, and a counter.
func (s *World) exceptionID() string {
	s.exceptions++
	return "-1449140138-" + strconv.Itoa(s.exceptions)
}
