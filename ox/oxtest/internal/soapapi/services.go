package soapapi

// AllServices makes the services that a server offers.
func AllServices() []*service {
	return []*service{
		contextService(), groupService(), resourceService(), secondaryAccountService(),
		taskService(), copyService(), userService(), utilService(),
	}
}
