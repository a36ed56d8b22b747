/* To be written. */
int main(void)
{
	return 1;
}
