/* The program of an image: it says what it was started with. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int count, char **words) {
  char here[4096], line[256];
  const char *greets = getenv("GREETS");
  for (int word = 1; word < count; word++) printf("word: %s\n", words[word]);
  printf("greets: %s\n", greets ? greets : "nobody");
  printf("in: %s\n", getcwd(here, sizeof here) ? here : "nowhere");
  printf("as: %d:%d\n", (int)getuid(), (int)getgid());
  FILE *file = fopen("says", "r");
  if (file && fgets(line, sizeof line, file)) printf("reads: %s\n", line);
  return 0;
}
