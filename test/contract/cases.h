/* The cases of the contract, one group per file, run by contract.c on each backend. */
#ifndef RINGLET_TEST_CONTRACT_CASES_H
#define RINGLET_TEST_CONTRACT_CASES_H

#include "fixture.h"

/* A case with a fixture of its own. */
#define contract_case(function)                                                                    \
	cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

int run_cancel_cases(void);
int run_kind_cases(void);
int run_connection_cases(void);
int run_file_cases(void);
int run_pressure_cases(void);
int run_soak_cases(void);
int run_time_cases(void);
int run_transfer_cases(void);

#endif
