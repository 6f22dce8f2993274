package org.peft4j.shell;

import java.nio.file.Path;
import java.util.List;
import org.eclipse.aether.RepositorySystem;
import org.eclipse.aether.RepositorySystemSession.CloseableSession;
import org.eclipse.aether.artifact.DefaultArtifact;
import org.eclipse.aether.collection.CollectRequest;
import org.eclipse.aether.graph.Dependency;
import org.eclipse.aether.repository.RemoteRepository;
import org.eclipse.aether.resolution.ArtifactResult;
import org.eclipse.aether.resolution.DependencyRequest;
import org.eclipse.aether.resolution.DependencyResolutionException;
import org.eclipse.aether.supplier.RepositorySystemSupplier;
import org.eclipse.aether.supplier.SessionBuilderSupplier;
import org.eclipse.aether.util.artifact.JavaScopes;

/** Libraries with all they need, from Maven Central or the local repository in {@code ~/.m2}. */
public final class MavenLibraries {
  private static final RemoteRepository CENTRAL =
      new RemoteRepository.Builder("central", "default", "https://repo.maven.apache.org/maven2")
          .build();

  private MavenLibraries() {}

  /**
   * The jars of a library, its own first.
   *
   * @param coordinate {@code group:artifact:version}, or with type and classifier as Maven has them
   * @throws IllegalArgumentException if it is none, or is not to be had
   */
  public static List<Path> resolve(String coordinate) {
    DefaultArtifact artifact;
    try {
      artifact = new DefaultArtifact(coordinate);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(
          coordinate + "\nexpected: group:artifact:version, such as org.dflib:dflib:1.3.0", e);
    }
    Path local = Path.of(System.getProperty("user.home"), ".m2", "repository");
    RepositorySystem system = new RepositorySystemSupplier().get();
    try (CloseableSession session =
        new SessionBuilderSupplier(system)
            .get()
            .withLocalRepositoryBaseDirectories(local)
            .build()) {
      CollectRequest wanted = new CollectRequest();
      wanted.setRoot(new Dependency(artifact, JavaScopes.RUNTIME));
      wanted.addRepository(CENTRAL);
      DependencyRequest request = new DependencyRequest(wanted, null);
      return system.resolveDependencies(session, request).getArtifactResults().stream()
          .map(ArtifactResult::getArtifact)
          .map(a -> a.getPath())
          .toList();
    } catch (DependencyResolutionException e) {
      throw new IllegalArgumentException(
          coordinate
              + ": not to be had ("
              + String.valueOf(e.getMessage()).lines().findFirst().orElse("")
              + ")\nfix: look for the name and version at https://central.sonatype.com",
          e);
    } finally {
      system.shutdown();
    }
  }
}
